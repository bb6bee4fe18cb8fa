// Ctrl-C as a question: who works for long asks now and then, and tidies up.
#pragma once

namespace skerry::sandbox {

// From now on SIGINT, SIGTERM and SIGHUP do nothing but make interrupted() true. Twice is once.
void catch_interrupts();
bool interrupted();    // thread-safe
int interrupted_by();  // the first one's number; 0 before

}  // namespace skerry::sandbox
