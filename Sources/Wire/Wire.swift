// Wire: bytes in, values out, and back.
//
// What may live here: the frames of ttrpc, its envelope, and every message of exec.proto as a
// value. protobuf-c and its pointers stop on this floor. What may not: I/O of any kind, clocks,
// threads, state that outlives a call (but for what a half-arrived frame needs), and any decision
// about what a message means.
