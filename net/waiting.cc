#include "net/waiting.h"

namespace skerry::net {

namespace {

thread_local MeanwhileWork* of_this_thread = nullptr;

}  // namespace

MeanwhileWork* meanwhile_work() { return of_this_thread; }

void set_meanwhile_work(MeanwhileWork* work) { of_this_thread = work; }

}  // namespace skerry::net
