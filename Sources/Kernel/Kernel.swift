// The only floor that makes system calls: descriptors, the event loop, timers, sockets, processes,
// files, and the memory that is handed to the kernel.
//
// What may live here: one thin, checked Swift face for each thing that the kernel offers. What may
// not: any knowledge of execs, frames or policy. A raw descriptor number never leaves.
