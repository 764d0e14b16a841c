#pragma once
#include <stddef.h>
#include <stdint.h>

// libFuzzer as a library: it has no header of its own for this.
int LLVMFuzzerRunDriver(int *_Nonnull argc, char *_Nullable *_Nonnull *_Nonnull argv,
                        int (*_Nonnull test_one_input)(const uint8_t *_Nullable data, size_t size));
