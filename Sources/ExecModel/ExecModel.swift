// The vocabulary: the values that the wire carries, the core decides on and callers see, each once.
//
// What may live here: plain values and the checks that make them valid. What may not: anything that
// makes a system call, knows a byte layout, or has an identity.
