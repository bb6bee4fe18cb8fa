// `skerry room explain`: what was checked of an event, which rule said no, and on which events that rests.
#pragma once

#include <ostream>

#include "core/result.h"
#include "storage/inspection.h"

namespace skerry::homeserver::inspect {

// The stored verdict, and steps 4 to 6 of 'Checks performed on receipt of a PDU' made anew from what is stored.
// Errors: not_found, storage.
Result<void> explain(storage::Inspection& database, const EventId& id, bool json, std::ostream& out);

}  // namespace skerry::homeserver::inspect
