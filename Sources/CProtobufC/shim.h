// Debian's libprotobuf-c, the runtime of the generated code in CExecProto.
#include <protobuf-c/protobuf-c.h>
