// What one writes in: the composer, and the form for the first sign-in.
#include "client/tui/composer.h"

#include <catch2/catch.hpp>

#include "client/tui/sign_in_form.h"

namespace skerry::client {
namespace {

Key key(KeyCode code) { return {code, "", 0, 0}; }
Key ctrl(char letter) { return {KeyCode::ctrl, std::string(1, letter), 0, 0}; }
Key text(const std::string& typed) { return {KeyCode::text, typed, 0, 0}; }

}  // namespace

TEST_CASE("the composer edits by what one sees as characters") {
  Composer c;
  c.insert("a\U0001F468\u200d\U0001F469e\u0301");
  c.backspace();
  CHECK(c.text() == "a\U0001F468\u200d\U0001F469");
  c.left();
  CHECK(c.cursor() == 1);
  c.remove();
  CHECK(c.text() == "a");
  c.insert("one two");
  c.line_end();
  c.word_left();
  c.insert("big ");
  CHECK(c.text() == "aone big two");
  c.line_end();
  c.remove_word_before();
  CHECK(c.text() == "aone big ");
  c.line_begin();
  c.remove_to_line_end();
  CHECK(c.empty());
  c.insert("e");
  c.insert("\u0301");  // as keyboards send it
  CHECK(c.text() == "e\u0301");
  c.backspace();
  CHECK(c.empty());
}

TEST_CASE("a paste of several lines stays one message and loses what could act") {
  Composer c;
  c.insert("one\r\ntwo\x1b[31m\n\tthree");
  CHECK(c.text() == "one\ntwo\uFFFD[31m\n    three");
  const auto layout = c.layout(20);
  CHECK(layout.lines.size() == 3);
  CHECK(layout.cursor_line == 2);
  CHECK(layout.cursor_column == 9);
  c.up();
  c.up();
  CHECK(c.cursor() == 3);
  CHECK_FALSE(c.insert(std::string(100'000, 'x')));
}

TEST_CASE("the composer remembers what was written") {
  Composer c;
  c.insert("first");
  CHECK(c.take() == "first");
  c.insert("second");
  c.take();
  c.insert("draft");
  c.up();
  CHECK(c.text() == "second");
  c.up();
  CHECK(c.text() == "first");
  c.up();
  CHECK(c.text() == "first");
  c.down();
  c.down();
  CHECK(c.text() == "draft");
}

TEST_CASE("the cursor stands where the next character would") {
  Composer c;
  c.insert("abcd");
  auto layout = c.layout(4);
  CHECK(layout.lines.size() == 2);
  CHECK((layout.cursor_line == 1 && layout.cursor_column == 0));
  c.insert("日");
  layout = c.layout(4);
  CHECK((layout.cursor_line == 1 && layout.cursor_column == 2));
}

TEST_CASE("the first form asks for what is missing and says what is sent") {
  SignInForm form("");
  const auto drawn = [&form] {
    std::string out;
    const Frame frame = form.render(24, 80);
    for (int row = 0; row < 24; ++row) out += frame.grid.row_text(row) + "\n";
    return out;
  };
  CHECK_FALSE(form.on_key(key(KeyCode::enter)));
  CHECK(drawn().find("Server is missing") != std::string::npos);
  form.on_key(text("alpha.test"));
  CHECK_FALSE(form.on_key(key(KeyCode::enter)));
  form.on_key(text("alice"));
  form.on_key(key(KeyCode::tab));
  form.on_key(text("secret"));
  CHECK(drawn().find("secret") == std::string::npos);
  CHECK(drawn().find("******") != std::string::npos);
  form.on_key(ctrl('t'));
  CHECK(drawn().find("no phone, no email") != std::string::npos);
  CHECK(form.on_key(key(KeyCode::enter)));
  CHECK(form.waiting());
  CHECK_FALSE(form.on_key(key(KeyCode::enter)));
  form.finish("The name is taken\x1b[2J");
  CHECK(drawn().find("The name is taken\uFFFD[2J") != std::string::npos);
  CHECK(form.user() == "alice");
  CHECK(form.mode() == SignInForm::Mode::sign_up);
  form.on_key(ctrl('q'));
  CHECK(form.quit());
}

}  // namespace skerry::client
