#include "homeserver/media/image.h"

#include <algorithm>
#include <memory>
#include <png.h>
#include <turbojpeg.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include "core/limits.h"

namespace skerry::homeserver {

namespace {

constexpr int jpeg_quality = 80;
// Of all scans of a JPEG together, some two seconds' work: a scan may cost its file 50 bytes and the decoder all
// pixels.
constexpr std::int64_t scanned_pixels = 400'000'000;
constexpr std::int64_t least_scan = 100'000;  // what a scan of a small image counts as

struct CloseTurboJpeg {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using TurboJpeg = std::unique_ptr<void, CloseTurboJpeg>;

const std::uint8_t* data_of(std::string_view bytes) { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }

tl::unexpected<Error> no_image() {
  return fail(ErrorCode::cannot_thumbnail, "this is no image that this server can make a thumbnail of");
}

Pixels blank(int width, int height) {
  Pixels pixels{width, height, {}};
  pixels.rgba.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 4);
  return pixels;
}

struct FreeDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

// A PNG being read or written, freed at the end.
struct Png {
  png_image image{};
  Png() { image.version = PNG_IMAGE_VERSION; }
  ~Png() { png_image_free(&image); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;
};

Result<ImageInfo> read_jpeg_info(std::string_view bytes) {
  const TurboJpeg handle(tjInitDecompress());
  ImageInfo info{ImageFormat::jpeg};
  int subsampling = 0;
  int colour_space = 0;
  if (!handle || tjDecompressHeader3(handle.get(), data_of(bytes), bytes.size(), &info.width, &info.height,
                                     &subsampling, &colour_space) != 0) {
    return no_image();
  }
  info.orientation = exif_orientation(bytes);
  info.is_cmyk = colour_space == TJCS_CMYK || colour_space == TJCS_YCCK;
  return info;
}

Result<ImageInfo> read_png_info(std::string_view bytes) {
  Png png;
  if (png_image_begin_read_from_memory(&png.image, bytes.data(), bytes.size()) == 0) return no_image();
  constexpr png_uint_32 longest = 1'000'000;  // libpng's own limit
  if (png.image.width > longest || png.image.height > longest) return no_image();
  ImageInfo info{ImageFormat::png, static_cast<int>(png.image.width), static_cast<int>(png.image.height)};
  // PNG, third edition, 11.3.6.1: the animation's chunk comes before the image.
  info.is_animated = bytes.substr(0, bytes.find("IDAT")).find("acTL") != std::string_view::npos;
  return info;
}

Result<ImageInfo> read_webp_info(std::string_view bytes) {
  ImageInfo info{ImageFormat::webp};
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data_of(bytes), bytes.size(), &features) != VP8_STATUS_OK) return no_image();
  info.width = features.width;
  info.height = features.height;
  info.is_animated = features.has_animation != 0;
  return info;
}

// The decoder itself can leave out detail: the smallest of its scales that is large enough.
tjscalingfactor scale_for(const ImageInfo& info, int least_width, int least_height) {
  tjscalingfactor best{1, 1};
  int count = 0;
  const tjscalingfactor* factors = tjGetScalingFactors(&count);
  for (int i = 0; factors != nullptr && i < count; ++i) {
    const bool enough =
        TJSCALED(info.width, factors[i]) >= least_width && TJSCALED(info.height, factors[i]) >= least_height;
    if (enough && factors[i].num * best.denom < best.num * factors[i].denom) best = factors[i];
  }
  return best;
}

// As Adobe's programs write them, which nearly all are: 255 is no ink.
void make_rgba_of_cmyk(Pixels& pixels) {
  for (std::size_t at = 0; at < pixels.rgba.size(); at += 4) {
    std::uint8_t* pixel = &pixels.rgba[at];
    for (std::size_t colour = 0; colour < 3; ++colour)
      pixel[colour] = static_cast<std::uint8_t>(pixel[colour] * pixel[3] / 255);
    pixel[3] = 255;
  }
}

Result<Pixels> decode_jpeg(std::string_view bytes, const ImageInfo& info, int least_width, int least_height) {
  const TurboJpeg handle(tjInitDecompress());
  const tjscalingfactor scale = scale_for(info, least_width, least_height);
  Pixels pixels = blank(TJSCALED(info.width, scale), TJSCALED(info.height, scale));
  const bool failed =
      !handle || tjDecompress2(handle.get(), data_of(bytes), bytes.size(), pixels.rgba.data(), pixels.width, 0,
                               pixels.height, info.is_cmyk ? TJPF_CMYK : TJPF_RGBA, 0) != 0;
  // What ends early is shown as far as it goes.
  if (failed && (!handle || tjGetErrorCode(handle.get()) == TJERR_FATAL)) return no_image();
  if (info.is_cmyk) make_rgba_of_cmyk(pixels);
  return pixels;
}

Result<Pixels> decode_png(std::string_view bytes, const ImageInfo& info) {
  Png png;
  if (png_image_begin_read_from_memory(&png.image, bytes.data(), bytes.size()) == 0) return no_image();
  png.image.format = PNG_FORMAT_RGBA;
  Pixels pixels = blank(info.width, info.height);
  if (PNG_IMAGE_SIZE(png.image) != pixels.rgba.size() ||
      png_image_finish_read(&png.image, nullptr, pixels.rgba.data(), 0, nullptr) == 0) {
    return no_image();
  }
  return pixels;
}

// Of an animated one the first frame, which may cover a part only.
Result<Pixels> decode_webp(std::string_view bytes, const ImageInfo& info) {
  const WebPData data{data_of(bytes), bytes.size()};
  const std::unique_ptr<WebPDemuxer, FreeDemuxer> demuxer(WebPDemux(&data));
  WebPIterator frame{};
  if (!demuxer || WebPDemuxGetFrame(demuxer.get(), 1, &frame) == 0) return no_image();
  Pixels pixels = blank(info.width, info.height);
  const bool inside = frame.x_offset >= 0 && frame.y_offset >= 0 && frame.width <= info.width - frame.x_offset &&
                      frame.height <= info.height - frame.y_offset;
  const std::size_t begin = inside ? (static_cast<std::size_t>(frame.y_offset) * static_cast<std::size_t>(info.width) +
                                      static_cast<std::size_t>(frame.x_offset)) *
                                         4
                                   : 0;
  const bool decoded =
      inside && WebPDecodeRGBAInto(frame.fragment.bytes, frame.fragment.size, pixels.rgba.data() + begin,
                                   pixels.rgba.size() - begin, info.width * 4) != nullptr;
  WebPDemuxReleaseIterator(&frame);
  if (!decoded) return no_image();
  return pixels;
}

Result<std::string> encode_jpeg(const Pixels& pixels) {
  const TurboJpeg handle(tjInitCompress());
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  const bool encoded = handle && tjCompress2(handle.get(), pixels.rgba.data(), pixels.width, 0, pixels.height,
                                             TJPF_RGBX, &buffer, &size, TJSAMP_420, jpeg_quality, 0) == 0;
  std::string bytes = encoded ? std::string(reinterpret_cast<const char*>(buffer), size) : std::string();
  tjFree(buffer);
  if (!encoded) return fail(ErrorCode::internal, "a thumbnail could not be encoded");
  return bytes;
}

Result<std::string> encode_png(const Pixels& pixels) {
  Png png;
  png.image.width = static_cast<png_uint_32>(pixels.width);
  png.image.height = static_cast<png_uint_32>(pixels.height);
  png.image.format = PNG_FORMAT_RGBA;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png.image);
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&png.image, bytes.data(), &size, 0, pixels.rgba.data(), 0, nullptr) == 0)
    return fail(ErrorCode::internal, "a thumbnail could not be encoded");
  bytes.resize(size);
  return bytes;
}

}  // namespace

std::string media_type(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return "image/jpeg";
    case ImageFormat::png:
      return "image/png";
    case ImageFormat::webp:
      return "image/webp";
  }
  return {};
}

Result<ImageInfo> read_image_info(std::string_view bytes) {
  Result<ImageInfo> info = no_image();
  if (bytes.starts_with("\xFF\xD8\xFF")) info = read_jpeg_info(bytes);
  if (bytes.starts_with("\x89PNG\r\n\x1A\n")) info = read_png_info(bytes);
  if (bytes.starts_with("RIFF") && bytes.find("WEBP") == 8) info = read_webp_info(bytes);
  if (!info) return info;
  if (info->width <= 0 || info->height <= 0) return no_image();
  const std::int64_t pixels = std::int64_t{info->width} * info->height;
  const std::int64_t scans = info->format == ImageFormat::jpeg ? jpeg_scans(bytes) : 1;
  if (pixels > limits::image_pixels || scans * std::max(pixels, least_scan) > scanned_pixels)
    return fail(ErrorCode::too_large, "the image has too many pixels for a thumbnail");
  return info;
}

Result<Pixels> decode_image(std::string_view bytes, const ImageInfo& info, int least_width, int least_height) {
  switch (info.format) {
    case ImageFormat::jpeg:
      return decode_jpeg(bytes, info, least_width, least_height);
    case ImageFormat::png:
      return decode_png(bytes, info);
    case ImageFormat::webp:
      return decode_webp(bytes, info);
  }
  return no_image();
}

Result<EncodedImage> encode_image(const Pixels& pixels) {
  EncodedImage made;
  for (std::size_t alpha = 3; alpha < pixels.rgba.size(); alpha += 4) {
    if (pixels.rgba[alpha] != 255) made.format = ImageFormat::png;
  }
  auto bytes = made.format == ImageFormat::png ? encode_png(pixels) : encode_jpeg(pixels);
  if (!bytes) return tl::make_unexpected(bytes.error());
  made.bytes = std::move(*bytes);
  return made;
}

}  // namespace skerry::homeserver
