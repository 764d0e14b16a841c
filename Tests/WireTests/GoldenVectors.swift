// Frames recorded between a Go ttrpc client and a Go server, over TCP: both directions of each case,
// each in its own order. A line that continues a frame is indented.

/// The frames, in hex, after the direction they went in.
let goldenFrames: [(name: String, frames: String)] = [
    (
        "unary_echo",
        """
        c2s 000000290000000101000a1065786563746573742e76312e4578656312044563686f1a0f0a0568656c6c
          6f102a1a04000102ff
        s2c 00000011000000010200120f0a0568656c6c6f102a1a04000102ff
        """,
    ),
    (
        "unary_two_calls",
        """
        c2s 0000001f0000000101000a1065786563746573742e76312e4578656312044563686f1a050a036f6e65
        s2c 0000000700000001020012050a036f6e65
        c2s 0000001f0000000301000a1065786563746573742e76312e4578656312044563686f1a050a0374776f
        s2c 0000000700000003020012050a0374776f
        """,
    ),
    (
        "unary_metadata_timeout",
        """
        c2s 000000590000000101000a1065786563746573742e76312e4578656312024d441a030a01782080e497d0
          122a1d0a0d617574686f72697a6174696f6e120c4265617265722074306b656e2a170a0d617574686f72
          697a6174696f6e12067365636f6e64
        s2c 0000001200000001020012100a0c4265617265722074306b656e1005
        """,
    ),
    (
        "unary_empty",
        """
        c2s 000000190000000101000a1065786563746573742e76312e457865631205456d707479
        s2c 00000000000000010200
        """,
    ),
    (
        "unary_app_error",
        """
        c2s 0000002f0000000101000a1065786563746573742e76312e4578656312044661696c1a150a116e6f2073
          75636820636f6e7461696e65721005
        s2c 000000170000000102000a15080512116e6f207375636820636f6e7461696e6572
        """,
    ),
    (
        "unary_unknown_service",
        """
        c2s 0000001c0000000101000a0f6e6f2e737563682e5365727669636512044563686f1a030a0178
        s2c 0000001d0000000102000a1b080c121773657276696365206e6f2e737563682e53657276696365
        """,
    ),
    (
        "unary_unknown_method",
        """
        c2s 0000001d0000000101000a1065786563746573742e76312e4578656312044e6f70651a030a0178
        s2c 000000110000000102000a0f080c120b6d6574686f64204e6f7065
        """,
    ),
    (
        "unary_call_on_stream_method",
        """
        c2s 000000210000000101000a1065786563746573742e76312e45786563120944756d7046696e616c1a0208
          01
        s2c 000000060000000103010a046c617374
        """,
    ),
    (
        "unary_client_cancel",
        """
        c2s 0000001e0000000101000a1065786563746573742e76312e457865631205536c6565701a0310ac02
        s2c 00000005000000010200120310ac02
        """,
    ),
    (
        "unary_server_deadline",
        """
        c2s 000000230000000101000a1065786563746573742e76312e457865631205536c6565701a0310e8072080
          e1eb17
        s2c 0000001f0000000102000a1d08041219636f6e7465787420646561646c696e65206578636565646564
        """,
    ),
    (
        "server_stream",
        """
        c2s 0000001e0000000101010a1065786563746573742e76312e45786563120444756d701a04080a1004
        s2c 000000060000000103000a0461626364
        s2c 000000060000000103000a0461626364
        s2c 000000040000000103000a026162
        s2c 00000000000000010305
        """,
    ),
    (
        "server_stream_empty_messages",
        """
        c2s 000000200000000101010a1065786563746573742e76312e45786563120c44756d70456d707479526571
        s2c 00000000000000010300
        s2c 00000000000000010305
        """,
    ),
    (
        "server_stream_final_with_data",
        """
        c2s 000000210000000101010a1065786563746573742e76312e45786563120944756d7046696e616c1a0208
          01
        s2c 000000060000000103010a046c617374
        """,
    ),
    (
        "client_stream",
        """
        c2s 0000001a0000000101020a1065786563746573742e76312e45786563120655706c6f6164
        c2s 000000050000000103000a03616263
        c2s 000000070000000103000a056465666768
        c2s 00000000000000010305
        s2c 00000006000000010200120408081002
        """,
    ),
    (
        "bidi_exec",
        """
        c2s 000000180000000101020a1065786563746573742e76312e45786563120445786563
        c2s 000000080000000103000a066c73202d6c0a
        s2c 000000080000000103000a066c73202d6c0a
        c2s 000000060000000103000a047077640a
        s2c 000000060000000103000a047077640a
        c2s 00000000000000010305
        s2c 000000020000000103001800
        s2c 00000000000000010305
        """,
    ),
    (
        "bidi_initial_payload",
        """
        c2s 000000200000000101020a1065786563746573742e76312e457865631204457865631a060a04696e6974
        s2c 000000060000000103000a04696e6974
        c2s 00000000000000010305
        s2c 000000020000000103001800
        s2c 00000000000000010305
        """,
    ),
    (
        "bidi_empty_message",
        """
        c2s 000000180000000101020a1065786563746573742e76312e45786563120445786563
        c2s 00000000000000010300
        s2c 000000020000000103000a00
        c2s 00000000000000010305
        s2c 000000020000000103001800
        s2c 00000000000000010305
        """,
    ),
    (
        "bidi_server_error",
        """
        c2s 000000180000000101020a1065786563746573742e76312e45786563120445786563
        c2s 000000060000000103000a046661696c
        s2c 000000120000000102000a100809120c746f6c6420746f206661696c
        """,
    ),
    (
        "bidi_server_ends_first_then_client_data",
        """
        c2s 000000180000000101020a1065786563746573742e76312e45786563120445786563
        c2s 000000060000000103000a0465786974
        s2c 000000020000000103001807
        s2c 00000000000000010305
        c2s 000000060000000103000a046c617465
        s2c 000000220000000102000a200803121c53747265616d4944206973206e6f206c6f6e6765722061637469
          7665
        c2s 00000000000000010305
        s2c 000000220000000102000a200803121c53747265616d4944206973206e6f206c6f6e6765722061637469
          7665
        """,
    ),
    (
        "bidi_unknown_method",
        """
        c2s 000000180000000101020a1065786563746573742e76312e4578656312044e6f7065
        s2c 000000110000000102000a0f080c120b6d6574686f64204e6f7065
        """,
    ),
    (
        "stream_metadata_not_sent",
        """
        c2s 000000180000000101020a1065786563746573742e76312e45786563120445786563
        c2s 00000000000000010305
        s2c 000000020000000103001800
        s2c 00000000000000010305
        """,
    ),
    (
        "stream_client_cancel",
        """
        c2s 000000180000000101020a1065786563746573742e76312e45786563120445786563
        """,
    ),
    (
        "interleaved_streams",
        """
        c2s 000000180000000101020a1065786563746573742e76312e45786563120445786563
        c2s 000000040000000103000a024131
        s2c 000000040000000103000a024131
        c2s 000000180000000301020a1065786563746573742e76312e45786563120445786563
        c2s 000000040000000303000a024231
        s2c 000000040000000303000a024231
        c2s 000000040000000103000a024132
        s2c 000000040000000103000a024132
        c2s 0000001f0000000501000a1065786563746573742e76312e4578656312044563686f1a050a036d6964
        s2c 0000000700000005020012050a036d6964
        c2s 00000000000000030305
        s2c 000000020000000303001800
        s2c 00000000000000030305
        c2s 00000000000000010305
        s2c 000000020000000103001800
        s2c 00000000000000010305
        """,
    ),
]

/// What the recorder says is in each case's first request.
let goldenRequests: [String: GoldenRequest] = [
    "unary_echo": GoldenRequest(method: "Echo", payload: "0a0568656c6c6f102a1a04000102ff"),
    "unary_two_calls": GoldenRequest(method: "Echo", payload: "0a036f6e65"),
    "unary_metadata_timeout": GoldenRequest(
        method: "MD",
        payload: "0a0178",
        timeoutNano: 5_000_000_000,
        metadata: ["authorization: Bearer t0ken", "authorization: second"]
    ),
    "unary_empty": GoldenRequest(method: "Empty"),
    "unary_app_error": GoldenRequest(
        method: "Fail",
        payload: "0a116e6f207375636820636f6e7461696e65721005"
    ),
    "unary_unknown_service": GoldenRequest(
        service: "no.such.Service",
        method: "Echo",
        payload: "0a0178"
    ),
    "unary_unknown_method": GoldenRequest(method: "Nope", payload: "0a0178"),
    "unary_call_on_stream_method": GoldenRequest(method: "DumpFinal", payload: "0801"),
    "unary_client_cancel": GoldenRequest(method: "Sleep", payload: "10ac02"),
    "unary_server_deadline": GoldenRequest(
        method: "Sleep",
        payload: "10e807",
        timeoutNano: 50_000_000
    ),
    "server_stream": GoldenRequest(method: "Dump", payload: "080a1004"),
    "server_stream_empty_messages": GoldenRequest(method: "DumpEmptyReq"),
    "server_stream_final_with_data": GoldenRequest(method: "DumpFinal", payload: "0801"),
    "client_stream": GoldenRequest(method: "Upload"),
    "bidi_exec": GoldenRequest(method: "Exec"),
    "bidi_initial_payload": GoldenRequest(method: "Exec", payload: "0a04696e6974"),
    "bidi_empty_message": GoldenRequest(method: "Exec"),
    "bidi_server_error": GoldenRequest(method: "Exec"),
    "bidi_server_ends_first_then_client_data": GoldenRequest(method: "Exec"),
    "bidi_unknown_method": GoldenRequest(method: "Nope"),
    "stream_metadata_not_sent": GoldenRequest(method: "Exec"),
    "stream_client_cancel": GoldenRequest(method: "Exec"),
    "interleaved_streams": GoldenRequest(method: "Exec"),
]

/// What the recorder says is in each case's last response, where it has one.
let goldenResponses: [String: GoldenResponse] = [
    "unary_echo": GoldenResponse(payload: "0a0568656c6c6f102a1a04000102ff"),
    "unary_two_calls": GoldenResponse(payload: "0a0374776f"),
    "unary_metadata_timeout": GoldenResponse(payload: "0a0c4265617265722074306b656e1005"),
    "unary_empty": GoldenResponse(),
    "unary_app_error": GoldenResponse(code: 5, message: "no such container"),
    "unary_unknown_service": GoldenResponse(code: 12, message: "service no.such.Service"),
    "unary_unknown_method": GoldenResponse(code: 12, message: "method Nope"),
    "unary_client_cancel": GoldenResponse(payload: "10ac02"),
    "unary_server_deadline": GoldenResponse(code: 4, message: "context deadline exceeded"),
    "client_stream": GoldenResponse(payload: "08081002"),
    "bidi_server_error": GoldenResponse(code: 9, message: "told to fail"),
    "bidi_server_ends_first_then_client_data": GoldenResponse(
        code: 3,
        message: "StreamID is no longer active"
    ),
    "bidi_unknown_method": GoldenResponse(code: 12, message: "method Nope"),
    "interleaved_streams": GoldenResponse(payload: "0a036d6964"),
]

/// A request, as the recorder tells it.
struct GoldenRequest {
    var service = "exectest.v1.Exec"
    var method: String
    var payload = ""
    var timeoutNano: Int64 = 0
    var metadata: [String] = []
}

/// A response, as the recorder tells it.
struct GoldenResponse {
    var code: Int32 = 0
    var message = ""
    var payload = ""
}
