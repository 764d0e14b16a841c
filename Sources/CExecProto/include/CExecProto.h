// The messages of exec.proto and of the ttrpc envelope, as Scripts/generate-proto makes them.
#pragma once
#include "exec.pb-c.h"
#include "ttrpc.pb-c.h"
