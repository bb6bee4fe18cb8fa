// What is done to pixels between decoding and encoding, and how a picture is to be turned.
#include <algorithm>
#include <array>
#include <optional>

#include "homeserver/media/image.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t channels = 4;

// A row of the source, averaged into columns: alpha is multiplied in, so that transparent pixels give no colour.
class RowShrinker {
 public:
  RowShrinker(int from_width, int width) : from_width_(from_width), width_(width) {}

  void shrink(const std::uint8_t* row, std::vector<float>& sums) const {
    std::fill(sums.begin(), sums.end(), 0.0F);
    const double step = static_cast<double>(from_width_) / width_;
    for (int column = 0; column < width_; ++column) {
      const double begin = column * step;
      const double end = std::min<double>(begin + step, from_width_);
      float* sum = &sums[static_cast<std::size_t>(column) * channels];
      for (int x = static_cast<int>(begin); x < end; ++x) {
        const auto covered = static_cast<float>(std::min<double>(end, x + 1) - std::max<double>(begin, x));
        const std::uint8_t* pixel = row + static_cast<std::size_t>(x) * channels;
        const float alpha = covered * static_cast<float>(pixel[3]);
        for (std::size_t colour = 0; colour < 3; ++colour) sum[colour] += alpha * static_cast<float>(pixel[colour]);
        sum[3] += alpha;
      }
    }
  }

 private:
  const int from_width_;
  const int width_;
};

void add_row(std::vector<float>& sums, const std::vector<float>& row, float weight) {
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += weight * row[i];
}

std::uint8_t byte_of(float value) { return static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F)); }

void write_row(const std::vector<float>& sums, float covered, std::uint8_t* row) {
  for (std::size_t i = 0; i < sums.size(); i += channels) {
    const float alpha = sums[i + 3];
    for (std::size_t colour = 0; colour < 3; ++colour)
      row[i + colour] = alpha > 0 ? byte_of(sums[i + colour] / alpha) : 0;
    row[i + 3] = byte_of(alpha / covered);
  }
}

// Numbers of a TIFF, in its own byte order; nothing beyond its end.
class Tiff {
 public:
  explicit Tiff(std::string_view bytes) : bytes_(bytes), little_(bytes.starts_with("II")) {}

  std::optional<std::uint32_t> number(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t from = little_ ? at + size - 1 - i : at + i;
      value = value << 8 | static_cast<std::uint8_t>(bytes_[from]);
    }
    return value;
  }

 private:
  std::string_view bytes_;
  bool little_;
};

constexpr char start_of_scan = '\xDA';

// The markers of a JPEG one after the other, with what stands in their segments; ITU-T T.81, B.1.1.
class JpegMarkers {
 public:
  explicit JpegMarkers(std::string_view bytes) : rest_(bytes.substr(std::min<std::size_t>(2, bytes.size()))) {}

  // Nothing at the end of the image or of the bytes.
  std::optional<char> next() {
    constexpr char end_of_image = '\xD9';
    while (true) {
      // What does not belong to a segment is a scan's data, in which 0xFF is followed by 0.
      rest_.remove_prefix(std::min(rest_.find('\xFF'), rest_.size()));
      if (rest_.size() < 2) return std::nullopt;
      const char marker = rest_[1];
      if (marker == '\xFF') {  // fills
        rest_.remove_prefix(1);
        continue;
      }
      rest_.remove_prefix(2);
      if (marker == end_of_image) return std::nullopt;
      const bool is_alone = marker == '\0' || marker == '\x01' || (marker >= '\xD0' && marker <= '\xD8');
      if (is_alone) continue;
      if (rest_.size() < 2) return std::nullopt;
      const std::size_t length =
          std::size_t{static_cast<std::uint8_t>(rest_[0])} << 8 | static_cast<std::uint8_t>(rest_[1]);
      segment_ = rest_.substr(2, std::max<std::size_t>(length, 2) - 2);
      rest_.remove_prefix(std::min(std::max<std::size_t>(length, 2), rest_.size()));
      return marker;
    }
  }
  std::string_view segment() const { return segment_; }

 private:
  std::string_view rest_;
  std::string_view segment_;
};

// Exif 2.3, 4.6.4: tag 0x0112 of the first directory.
int orientation_of(std::string_view tiff_bytes) {
  constexpr std::uint32_t orientation_tag = 0x0112;
  constexpr std::size_t entry_bytes = 12;
  const Tiff tiff(tiff_bytes);
  const auto directory = tiff.number(4, 4);
  const auto entries = directory ? tiff.number(*directory, 2) : std::nullopt;
  if (!entries) return 1;
  for (std::size_t i = 0; i < *entries; ++i) {
    const std::size_t entry = std::size_t{*directory} + 2 + i * entry_bytes;
    const auto tag = tiff.number(entry, 2);
    if (!tag) return 1;
    if (*tag != orientation_tag) continue;
    const auto value = tiff.number(entry + 8, 2);
    return value && *value >= 1 && *value <= 8 ? static_cast<int>(*value) : 1;
  }
  return 1;
}

}  // namespace

Pixels shrink(const Pixels& pixels, const Rectangle& from, int width, int height) {
  const auto size = [](int number) { return static_cast<std::size_t>(number); };
  Pixels made{width, height, std::vector<std::uint8_t>(size(width) * size(height) * channels)};
  const RowShrinker columns(from.width, width);
  std::vector<float> row(size(width) * channels);
  std::vector<float> sums(size(width) * channels);
  const double step = static_cast<double>(from.height) / height;
  const float covered = static_cast<float>(step * from.width / width);
  int target = 0;
  for (int y = 0; y < from.height; ++y) {
    columns.shrink(&pixels.rgba[(size(from.y + y) * size(pixels.width) + size(from.x)) * channels], row);
    // A row belongs to one row of the result, or to two that meet in it.
    const double border = (target + 1) * step;
    const auto inside = static_cast<float>(std::min<double>(1, border - y));
    add_row(sums, row, inside);
    const bool is_last = y + 1 == from.height;
    if (y + 1 < border && !is_last) continue;
    write_row(sums, covered, &made.rgba[size(target) * size(width) * channels]);
    std::fill(sums.begin(), sums.end(), 0.0F);
    if (++target == height) break;
    add_row(sums, row, 1 - inside);
  }
  return made;
}

Pixels turn(Pixels pixels, int orientation) {
  if (orientation <= 1 || orientation > 8) return pixels;
  const bool swaps = orientation >= 5;
  Pixels made{swaps ? pixels.height : pixels.width, swaps ? pixels.width : pixels.height, {}};
  made.rgba.resize(pixels.rgba.size());
  const bool flips_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool flips_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (int y = 0; y < made.height; ++y) {
    for (int x = 0; x < made.width; ++x) {
      int from_x = swaps ? y : x;
      int from_y = swaps ? x : y;
      if (flips_x) from_x = pixels.width - 1 - from_x;
      if (flips_y) from_y = pixels.height - 1 - from_y;
      const auto index = [](int row, int width, int column) {
        return (static_cast<std::size_t>(row) * static_cast<std::size_t>(width) + static_cast<std::size_t>(column)) *
               channels;
      };
      std::copy_n(&pixels.rgba[index(from_y, pixels.width, from_x)], channels, &made.rgba[index(y, made.width, x)]);
    }
  }
  return made;
}

int exif_orientation(std::string_view jpeg) {
  constexpr std::string_view exif("Exif\0\0", 6);
  constexpr char application_1 = '\xE1';
  JpegMarkers markers(jpeg);
  while (const auto marker = markers.next()) {
    if (*marker == start_of_scan) return 1;
    const std::string_view segment = markers.segment();
    if (*marker == application_1 && segment.starts_with(exif)) return orientation_of(segment.substr(exif.size()));
  }
  return 1;
}

std::int64_t jpeg_scans(std::string_view jpeg) {
  std::int64_t scans = 0;
  JpegMarkers markers(jpeg);
  while (const auto marker = markers.next()) {
    if (*marker == start_of_scan) ++scans;
  }
  return scans;
}

}  // namespace skerry::homeserver
