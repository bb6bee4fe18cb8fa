// Images as pixels. The only file that knows the decoders: JPEG (libjpeg-turbo), PNG (libpng), WebP (libwebp).
// Everything here takes bytes from anybody. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace skerry::homeserver {

enum class ImageFormat { jpeg, png, webp };
std::string media_type(ImageFormat format);

struct ImageInfo {
  ImageFormat format = ImageFormat::png;
  int width = 0;  // as it is stored
  int height = 0;
  bool is_animated = false;
  bool is_cmyk = false;  // inks instead of light
  int orientation = 1;   // 1 to 8, as Exif counts: how it is to be turned; from 5 on, width and height change places
};

// From the bytes themselves; what somebody says that they are does not count. Errors: cannot_thumbnail (none of the
// formats), too_large (over limits::image_pixels, or a JPEG that goes over its pixels too often).
Result<ImageInfo> read_image_info(std::string_view bytes);

struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgba;  // four bytes each, rows from the top, alpha not multiplied in
};

// Possibly smaller than it is stored, where that costs less, but not below the given size. Errors: cannot_thumbnail.
Result<Pixels> decode_image(std::string_view bytes, const ImageInfo& info, int least_width, int least_height);

// JPEG, or PNG where something is transparent. Errors: internal.
struct EncodedImage {
  ImageFormat format = ImageFormat::jpeg;
  std::string bytes;
};
Result<EncodedImage> encode_image(const Pixels& pixels);

// The rectangle of a picture, made smaller by averaging. REQUIRES: it is inside, and not smaller than the result.
struct Rectangle {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};
Pixels shrink(const Pixels& pixels, const Rectangle& from, int width, int height);

// Turned as Exif's `orientation` says.
Pixels turn(Pixels pixels, int orientation);

// 1 to 8, of a JPEG; 1 where it says nothing that makes sense.
int exif_orientation(std::string_view jpeg);

// How often a JPEG goes over its pixels: once, or about ten times where it is progressive.
std::int64_t jpeg_scans(std::string_view jpeg);

}  // namespace skerry::homeserver
