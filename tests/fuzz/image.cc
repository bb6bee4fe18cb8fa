// What thumbnails are made of: an image of anybody, decoded, made smaller, turned, and encoded again.
#include "homeserver/media/image.h"

#include <algorithm>

#include "tests/fuzz/fuzz.h"

using namespace skerry;
using namespace skerry::homeserver;
using skerry::test::must_hold;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int most_pixels = 1'000'000;  // for speed
  const std::string_view bytes = test::text_of(data, size);
  const auto info = read_image_info(bytes);
  must_hold(exif_orientation(bytes) >= 1 && exif_orientation(bytes) <= 8, "there are eight orientations");
  if (!info || std::int64_t{info->width} * info->height > most_pixels) return 0;
  const auto pixels = decode_image(bytes, *info, 16, 16);
  if (!pixels) return 0;
  must_hold(pixels->width >= std::min(16, info->width) && pixels->height >= std::min(16, info->height),
            "an image is not smaller than asked for");
  const int width = std::min(pixels->width, 16);
  const int height = std::min(pixels->height, 16);
  const Pixels small = turn(shrink(*pixels, {0, 0, pixels->width, pixels->height}, width, height), info->orientation);
  const auto made = encode_image(small);
  must_hold(made.has_value(), "a thumbnail can be encoded");
  const auto again = read_image_info(made->bytes);
  must_hold(again && again->width == small.width && again->height == small.height, "a thumbnail is an image");
  return 0;
}
