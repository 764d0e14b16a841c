// Listeners, connections and the RPCs: translates between the wire and the core.
//
// What may live here: who may talk to the server, which frame belongs to which call, and what each
// call asks of the core. What may not: decisions about execs (ExecCore), byte layouts (Wire),
// system calls (Kernel).

@_exported public import ExecCore
