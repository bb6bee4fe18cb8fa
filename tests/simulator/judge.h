// What must hold when everything is said and delivered.
#pragma once

#include <string>

#include "tests/simulator/world.h"

namespace skerry::simulator {

// Complains to the world of what does not.
void judge(World& world);

// Every event, and what became of it at each server, one a line. Letters say who holds it: a lower-case one without its
// place, '!' after it: rejected there, '~': soft-failed.
std::string graph_of(World& world);

}  // namespace skerry::simulator
