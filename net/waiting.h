// What a thread does that waits for work of others. Threads block; a simulation, in which one thread does everything,
// lets the work that is waited for go on meanwhile.
#pragma once

namespace skerry::net {

class MeanwhileWork {
 public:
  virtual ~MeanwhileWork() = default;
  virtual void run_some() = 0;
};

// Of the calling thread. Null, unless a simulation set it.
MeanwhileWork* meanwhile_work();
void set_meanwhile_work(MeanwhileWork* work);

}  // namespace skerry::net
