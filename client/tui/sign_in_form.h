// The first screen where no session is stored: sign in, or register. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "client/tui/composer.h"
#include "client/tui/grid.h"
#include "client/tui/key.h"

namespace skerry::client {

class SignInForm {
 public:
  enum class Mode { sign_in, sign_up };
  explicit SignInForm(const std::string& server);

  // True when the form is to be sent: then it shows that it waits, until finish().
  bool on_key(const Key& key);
  void finish(const SafeText& error);  // empty: it went well

  Mode mode() const { return mode_; }
  const std::string& server() const { return fields_[0].text(); }
  const std::string& user() const { return fields_[1].text(); }
  const std::string& password() const { return fields_[2].text(); }
  bool waiting() const { return waiting_; }
  bool quit() const { return quit_; }

  Frame render(int rows, int columns) const;

 private:
  static constexpr std::size_t fields = 3;
  bool submit();
  void edit(Composer& field, const Key& key);
  void switch_mode();
  void move(int direction);
  void draw_field(Frame& frame, int row, int column, int width, std::size_t index) const;

  Mode mode_ = Mode::sign_in;
  std::array<Composer, fields> fields_;
  std::size_t active_ = 0;
  SafeText message_;
  bool waiting_ = false;
  bool quit_ = false;
};

}  // namespace skerry::client
