#include "CExecProto.h"
