// Images: what they are, made smaller, and the plan for that.
#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include <catch2/catch.hpp>

#include "core/limits.h"
#include "homeserver/media/image.h"
#include "homeserver/media/thumbnails.h"

using namespace skerry;
using namespace skerry::homeserver;

namespace {

using Colour = std::array<std::uint8_t, 4>;
constexpr Colour red{255, 0, 0, 255};
constexpr Colour blue{0, 0, 255, 255};
constexpr Colour clear{0, 255, 0, 0};

template <class Paint>
Pixels paint(int width, int height, const Paint& colour_at) {
  Pixels pixels{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const Colour colour = colour_at(x, y);
      pixels.rgba.insert(pixels.rgba.end(), colour.begin(), colour.end());
    }
  }
  return pixels;
}
// Red on the left, blue on the right.
Pixels halves(int width, int height, Colour left = red, Colour right = blue) {
  return paint(width, height, [&](int x, int) { return x < width / 2 ? left : right; });
}
Colour at(const Pixels& pixels, int x, int y) {
  Colour colour{};
  std::copy_n(
      &pixels.rgba.at(
          (static_cast<std::size_t>(y) * static_cast<std::size_t>(pixels.width) + static_cast<std::size_t>(x)) * 4),
      4, colour.begin());
  return colour;
}
bool is_near(Colour a, Colour b) {
  for (std::size_t i = 0; i < 4; ++i) {
    if (std::abs(int{a[i]} - int{b[i]}) > 12) return false;
  }
  return true;
}
Pixels decoded(const std::string& bytes, int least_width = 100'000, int least_height = 100'000) {
  const auto info = read_image_info(bytes);
  REQUIRE(info);
  auto pixels = decode_image(bytes, *info, least_width, least_height);
  REQUIRE(pixels);
  return *pixels;
}
std::string encoded(const Pixels& pixels) { return encode_image(pixels).value().bytes; }

// The JPEG with an Exif segment behind its first two bytes: one directory with the orientation.
std::string with_orientation(const std::string& jpeg, char orientation) {
  std::string tiff("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", 18);
  tiff += orientation + std::string(7, '\0');
  return jpeg.substr(0, 2) + std::string("\xFF\xE1\0\x22", 4) + std::string("Exif\0\0", 6) + tiff + jpeg.substr(2);
}

// The halves, 64 by 48, without loss.
constexpr unsigned char webp[] = {0x52, 0x49, 0x46, 0x46, 0x26, 0x00, 0x00, 0x00, 0x57, 0x45, 0x42, 0x50,
                                  0x56, 0x50, 0x38, 0x4c, 0x1a, 0x00, 0x00, 0x00, 0x2f, 0x3f, 0xc0, 0x0b,
                                  0x00, 0x0f, 0x10, 0xf3, 0xbf, 0xff, 0xf3, 0x1f, 0x0e, 0xc4, 0x82, 0xc9,
                                  0xfc, 0xa5, 0x53, 0xe8, 0x8c, 0xe8, 0x7f, 0x54, 0xc1, 0x77};

// Of those that the fuzzer begins with.
std::string seed(const std::string& name) {
  std::ifstream file(std::string(SKERRY_SOURCE_DIR "/tests/fuzz/corpus/image/") + name, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string plan_text(int width, int height, const ThumbnailSize& wanted) {
  const auto plan = plan_thumbnail(width, height, wanted);
  if (!plan) return "itself";
  const Rectangle& from = plan->from;
  return std::to_string(from.x) + "," + std::to_string(from.y) + " " + std::to_string(from.width) + "x" +
         std::to_string(from.height) + " to " + std::to_string(plan->width) + "x" + std::to_string(plan->height);
}

}  // namespace

TEST_CASE("a scaled thumbnail keeps its proportions and is nowhere smaller than asked for") {
  CHECK(plan_text(1000, 500, {100, 100, false}) == "0,0 1000x500 to 200x100");
  CHECK(plan_text(500, 1000, {100, 100, false}) == "0,0 500x1000 to 100x200");
  CHECK(plan_text(1999, 1001, {320, 240, false}) == "0,0 1999x1001 to 479x240");
  CHECK(plan_text(100, 5000, {100, 100, false}) == "itself");
  CHECK(plan_text(100, 100, {100, 100, false}) == "itself");
  CHECK(plan_text(1, 1, {800, 600, false}) == "itself");
}

TEST_CASE("a cropped thumbnail is the middle of the image, in the proportions asked for") {
  CHECK(plan_text(1000, 500, {100, 100, true}) == "250,0 500x500 to 100x100");
  CHECK(plan_text(500, 1000, {96, 32, true}) == "0,416 500x167 to 96x32");
  CHECK(plan_text(1000, 50, {96, 96, true}) == "itself");
}

TEST_CASE("an image is made smaller by averaging; what is transparent gives no colour") {
  const Pixels small = shrink(halves(100, 60), {0, 0, 100, 60}, 3, 7);
  CHECK(small.width == 3);
  CHECK(small.rgba.size() == std::size_t{3 * 7 * 4});
  for (int y = 0; y < 7; ++y) {
    CHECK(at(small, 0, y) == red);
    CHECK(is_near(at(small, 1, y), {128, 0, 128, 255}));
    CHECK(at(small, 2, y) == blue);
  }
  const Pixels half_clear = shrink(halves(10, 10, red, clear), {0, 0, 10, 10}, 1, 1);
  CHECK(is_near(at(half_clear, 0, 0), {255, 0, 0, 128}));
  const Pixels rows = paint(8, 90, [](int, int y) { return y < 45 ? red : blue; });
  const Pixels row_thirds = shrink(rows, {2, 0, 3, 90}, 1, 3);
  CHECK(at(row_thirds, 0, 0) == red);
  CHECK(is_near(at(row_thirds, 0, 1), {128, 0, 128, 255}));
  CHECK(at(row_thirds, 0, 2) == blue);
  CHECK(shrink(rows, {0, 0, 8, 90}, 8, 90).rgba == rows.rgba);
}

TEST_CASE("opaque images become JPEG, others PNG, and are read again") {
  const auto jpeg = encode_image(halves(64, 48));
  REQUIRE(jpeg);
  CHECK(jpeg->format == ImageFormat::jpeg);
  CHECK(is_near(at(decoded(jpeg->bytes), 5, 5), red));
  CHECK(is_near(at(decoded(jpeg->bytes), 60, 40), blue));
  const auto png = encode_image(halves(64, 48, red, clear));
  REQUIRE(png);
  CHECK(png->format == ImageFormat::png);
  CHECK(decoded(png->bytes).rgba == halves(64, 48, red, clear).rgba);
  const std::string lossless(reinterpret_cast<const char*>(webp), sizeof webp);
  CHECK(decoded(lossless).rgba == halves(64, 48).rgba);
}

TEST_CASE("a large JPEG is decoded no larger than needed") {
  const std::string bytes = encoded(halves(1'600, 800));
  const Pixels pixels = decoded(bytes, 300, 100);
  CHECK(pixels.width == 400);
  CHECK(pixels.height == 200);
  CHECK(decoded(bytes, 1'599, 1).width == 1'600);
}

TEST_CASE("a picture is turned as its camera says") {
  // A red pixel in the corner, and where it is to be seen.
  const Pixels corner = paint(3, 2, [](int x, int y) { return x == 0 && y == 0 ? red : blue; });
  const std::array<std::array<int, 2>, 9> seen{{{}, {0, 0}, {2, 0}, {2, 1}, {0, 1}, {0, 0}, {1, 0}, {1, 2}, {0, 2}}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Pixels turned = turn(corner, orientation);
    INFO(orientation);
    CHECK(turned.width == (orientation >= 5 ? 2 : 3));
    CHECK(at(turned, seen.at(std::size_t(orientation))[0], seen.at(std::size_t(orientation))[1]) == red);
  }
  const std::string jpeg = encoded(halves(64, 48));
  CHECK(read_image_info(jpeg)->orientation == 1);
  CHECK(read_image_info(with_orientation(jpeg, 6))->orientation == 6);
  CHECK(read_image_info(with_orientation(jpeg, 9))->orientation == 1);
  CHECK(exif_orientation("\xFF\xD8\xFF\xE1") == 1);
  CHECK(exif_orientation(std::string("\xFF\xD8\xFF\xE1\0\x10", 6) + "Exif") == 1);
}

TEST_CASE("what is no image, damaged, or too large is refused before it is decoded") {
  CHECK(read_image_info("").error().code == ErrorCode::cannot_thumbnail);
  CHECK(read_image_info("<svg/>").error().code == ErrorCode::cannot_thumbnail);
  CHECK(read_image_info("RIFF123").error().code == ErrorCode::cannot_thumbnail);
  const std::string png = encoded(halves(64, 48, red, clear));
  for (const std::string& whole : {png, encoded(halves(64, 48))}) {
    for (std::size_t size = 0; size < whole.size(); size += 7) {
      const auto info = read_image_info(whole.substr(0, size));
      if (info) (void)decode_image(whole.substr(0, size), *info, 8, 8);
    }
  }
  CHECK_FALSE(decode_image(png.substr(0, 60), *read_image_info(png), 8, 8));
  std::string huge = png;
  huge.replace(16, 8, std::string("\0\0\x80\0\0\0\x80\0", 8));  // 32,768 each way; its checksum does not hold either
  CHECK_FALSE(read_image_info(huge));
  std::string huge_jpeg = encoded(halves(64, 48));
  const auto frame = huge_jpeg.find("\xFF\xC0");
  REQUIRE(frame != std::string::npos);
  huge_jpeg.replace(frame + 5, 4, "\xFF\x00\xFF\x00", 4);
  CHECK(read_image_info(huge_jpeg).error().code == ErrorCode::too_large);
}

TEST_CASE("a JPEG that goes over its pixels too often is refused") {
  const std::string jpeg = encoded(halves(640, 480));
  CHECK(jpeg_scans(jpeg) == 1);
  CHECK(jpeg_scans(jpeg + std::string(1'000, '\xFF') + "\xDA") == 1);  // what follows the image does not count
  const auto scan = jpeg.find("\xFF\xDA");
  REQUIRE(scan != std::string::npos);
  const std::string again = jpeg.substr(scan, jpeg.size() - 2 - scan);
  std::string repeated = jpeg.substr(0, jpeg.size() - 2);
  for (int i = 0; i < 99; ++i) repeated += again;
  CHECK(jpeg_scans(repeated + "\xFF\xD9") == 100);
  CHECK(read_image_info(repeated + "\xFF\xD9"));
  for (int i = 0; i < 1'400; ++i) repeated += again;
  CHECK(read_image_info(repeated + "\xFF\xD9").error().code == ErrorCode::too_large);
}

TEST_CASE("a picture in inks is shown in their colours") { CHECK(is_near(at(decoded(seed("inks.jpeg")), 4, 4), red)); }

TEST_CASE("of an animation the first frame is shown, at its place") {
  CHECK(read_image_info(seed("animation.webp"))->is_animated);
  CHECK_FALSE(read_image_info(seed("lossy.webp"))->is_animated);
  const Pixels pixels = decoded(seed("animation.webp"));
  CHECK(pixels.width == 100);
  CHECK(pixels.height == 80);
  CHECK(at(pixels, 19, 9) == Colour{});
  CHECK(at(pixels, 20, 10) == red);
  CHECK(at(pixels, 83, 57) == blue);
  CHECK(at(pixels, 84, 57) == Colour{});
}

TEST_CASE("a PNG of many pixels in few bytes is refused, one whose rows come by turns is read") {
  CHECK(read_image_info(seed("many_pixels.png")).error().code == ErrorCode::too_large);
  const Pixels pixels = decoded(seed("interlaced_colours.png"));
  for (int x = 0; x < 8; ++x) {
    CHECK(at(pixels, x, 7 - x) ==
          Colour{static_cast<std::uint8_t>(x * 30), static_cast<std::uint8_t>(210 - x * 30), 7, 255});
  }
  CHECK(at(decoded(seed("palette.png")), 0, 0)[3] == 0);
  std::string moving = seed("plain.png");
  CHECK_FALSE(read_image_info(moving)->is_animated);
  moving.insert(33, std::string("\0\0\0\x08"
                                "acTL"
                                "\0\0\0\x01\0\0\0\0"
                                "\xB4\x2D\xE9\xA0",
                                20));
  CHECK(read_image_info(moving)->is_animated);
}
