// The core decides: what an exec is, what is kept of its output and for how long, what each viewer
// gets next, when a process is stopped and how its end is told.
//
// What may live here: the registry, instances, the log, the ring, cursors, and process lifecycles,
// as values wherever a decision is made. What may not: sockets, frames, anything of the wire.

@_exported public import ExecModel
