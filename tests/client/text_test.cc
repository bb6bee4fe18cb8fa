// What others write, made fit for a terminal: sanitised, measured, wrapped.
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "client/text/graphemes.h"
#include "client/text/safe_text.h"
#include "core/utf8.h"

using skerry::client::clusters;
using skerry::client::fit;
using skerry::client::SafeText;
using skerry::client::text_width;
using skerry::client::wrap;

namespace {

std::string line(std::string_view text) { return SafeText(text).str(); }
std::string body(std::string_view text) { return SafeText::multi_line(text).str(); }

std::vector<std::string> wrapped(std::string_view text, int width) {
  std::vector<std::string> out;
  for (const SafeText& piece : wrap(SafeText::multi_line(text), width)) out.push_back(piece.str());
  return out;
}

bool harmless(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\n') || c == 0x7F) return false;
    if (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return false;
  }
  return skerry::is_valid_utf8(text);
}

}  // namespace

TEST_CASE("escape sequences lose what makes a terminal act") {
  CHECK(line("\x1b[2J\x1b[H") == "\uFFFD[2J\uFFFD[H");
  CHECK(line("\x1b]0;title\x07") == "\uFFFD]0;title\uFFFD");
  CHECK(line("\x1b]52;c;aGk=\x1b\\") == "\uFFFD]52;c;aGk=\uFFFD\\");
  CHECK(line("\x1bP$q\x1b\\") == "\uFFFDP$q\uFFFD\\");
  CHECK(line("\u009b2J") == "\uFFFD2J");
  CHECK(line("\x9b"
             "2J") == "\uFFFD2J");
  CHECK(line("a\x08"
             "b\x7f"
             "c") == "a\uFFFDb\uFFFDc");
  CHECK(line(std::string_view("a\0b", 3)) == "a\uFFFDb");
}

TEST_CASE("no byte sequence of up to three bytes gets a control through") {
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      for (const char* end : {"", "m", "\x1b", "\x9b", "\xc2", "\n"}) {
        const std::string raw = std::string{static_cast<char>(a), static_cast<char>(b)} + end;
        const std::string one = line(raw);
        const std::string many = body(raw);
        if (!harmless(one) || one.find('\n') != std::string::npos || !harmless(many)) {
          FAIL("bytes " << a << ' ' << b << " followed by " << end);
        }
        if (line(one) != one || body(many) != many) FAIL("not stable: " << a << ' ' << b);
      }
    }
  }
}

TEST_CASE("directional overrides and invisible characters are dropped") {
  CHECK(line("abc\u202egnp.exe") == "abcgnp.exe");
  CHECK(line("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069x") == "x");
  CHECK(line("a\u200bl\u2060i\ufeffc\u00ade\u034f\u180e\u061c\u200e\u200f") == "alice");
  CHECK(line("\u3164\u115f\u1160\uffa0") == "");
  CHECK(line("hi\U000E0068\U000E0069") == "hi");
  CHECK(line("a\ufe00b\U000E0100c") == "abc");
  CHECK(line("\ufdd0\uffff\U0010ffff") == "\ufffd\ufffd\ufffd");
}

TEST_CASE("joiners stay where they join and go where they hide") {
  const std::string family = "\U0001F468\u200d\U0001F469\u200d\U0001F467";
  CHECK(line(family) == family);
  const std::string heart_on_fire = "\u2764\ufe0f\u200d\U0001F525";
  CHECK(line(heart_on_fire) == heart_on_fire);
  CHECK(line("al\u200dice\u200c") == "alice");
  const std::string persian = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645";
  CHECK(line(persian) == persian);
  CHECK(line("\u200d\u200d\U0001F468\u200d\u200d\U0001F469") == "\U0001F468\u200d\U0001F469");
  std::string chain = "\U0001F468";
  for (int i = 0; i < 50; ++i) chain += "\u200d\U0001F468";
  CHECK(clusters(line(chain)).size() > 40);
}

TEST_CASE("a flag of a region keeps its tags") {
  const std::string england = "\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F";
  CHECK(line(england) == england);
  CHECK(text_width(england) == 2);
  CHECK(line("\U0001F3F4\U000E0067\U000E0062") == "\U0001F3F4");
}

TEST_CASE("piles of combining marks are cut down") {
  std::string pile = "z";
  for (int i = 0; i < 100; ++i) pile += "\u0335";
  CHECK(line(pile) == "z\u0335\u0335\u0335\u0335");
  CHECK(line("\u0301x") == "\u25cc\u0301x");
  CHECK(body("a\n\u0301x") == "a\n\u25cc\u0301x");
  CHECK(line("e\u0301\u0323") == "e\u0301\u0323");
}

TEST_CASE("line breaks stay in messages and nowhere else") {
  CHECK(line("a\r\nb\nc\rd\u2028e\tf") == "a b c d e f");
  CHECK(body("a\r\nb\nc\rd\u2028e\tf") == "a\nb\nc\nd\ne    f");
  CHECK(SafeText::multi_line("1\n2\n3\n4", 2).str() == "1\n2[…]");
}

TEST_CASE("grapheme clusters take the columns that they show") {
  CHECK(text_width("hello") == 5);
  CHECK(text_width("日本語") == 6);
  CHECK(text_width("e\u0301") == 1);
  CHECK(text_width("\U0001F600") == 2);
  CHECK(text_width("\u2764") == 1);
  CHECK(text_width("\u2764\ufe0f") == 2);
  CHECK(text_width("1\ufe0f\u20e3") == 2);
  CHECK(text_width("\U0001F1E9\U0001F1EA") == 2);
  CHECK(text_width("\U0001F1E9\U0001F1EA\U0001F1EB\U0001F1F7") == 4);
  CHECK(text_width("\U0001F468\u200d\U0001F469\u200d\U0001F467\u200d\U0001F466") == 2);
  CHECK(text_width("\U0001F44D\U0001F3FD") == 2);
  CHECK(text_width("\U0001FAE8") == 2);
  CHECK(text_width("\uac01") == 2);
  CHECK(text_width("\u1100\u1161\u11a8") == 2);
  CHECK(clusters("e\u0301x").size() == 2);
  CHECK_FALSE(clusters("\u2764\ufe0f")[0].plain);
}

TEST_CASE("a long name is cut to its columns with an ellipsis") {
  CHECK(fit("hello", 5).str() == "hello");
  CHECK(fit("hello!", 5).str() == "hell…");
  CHECK(fit("日本語", 5).str() == "日本…");
  CHECK(fit("日本語", 4).str() == "日…");
  CHECK(fit("abc", 0).str().empty());
  CHECK(fit("abc", 1).str() == "…");
}

TEST_CASE("text wraps at spaces and long words in the middle") {
  using Lines = std::vector<std::string>;
  CHECK(wrapped("", 10) == Lines{""});
  CHECK(wrapped("the quick brown fox", 10) == Lines{"the quick", "brown fox"});
  CHECK(wrapped("abcdefghijkl", 5) == Lines{"abcde", "fghij", "kl"});
  CHECK(wrapped("a abcdefghijkl", 5) == Lines{"a", "abcde", "fghij", "kl"});
  CHECK(wrapped("12345 789", 5) == Lines{"12345", "789"});
  CHECK(wrapped("12345   789", 5) == Lines{"12345", "789"});
  CHECK(wrapped("a\n\nb", 5) == Lines{"a", "", "b"});
  CHECK(wrapped("  in", 5) == Lines{"  in"});
  CHECK(wrapped("日本語日本語", 5) == Lines{"日本", "語日", "本語"});
  CHECK(wrapped("\U0001F468\u200d\U0001F469\U0001F468\u200d\U0001F469", 3).size() == 2);
}
