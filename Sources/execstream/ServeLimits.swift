internal import ExecModel
internal import ExecServer

/// The limits of a server that `serve` takes: their options, and where each goes.
enum ServeLimits {
    static let options: [OptionSpec] = [
        .value("connections-max", "N", "the most connections by TCP, and by Unix socket (10000)"),
        .value(
            "unauthenticated-max",
            "N",
            "the most TCP connections that have shown no token yet (1024)"
        ),
        .value("streams-max", "N", "the most open calls on one connection (1000)"),
        .value("execs-max", "N", "the most execs that are kept (20000)"),
        .value("container-execs-max", "N", "the most execs of one container (2000)"),
        .value("starts-per-second", "N", "the most starts of one identity (10000); 0: no limit"),
        .value("identity-connections-max", "N", "the most connections of one identity (4000)"),
        .value("identity-streams-max", "N", "the most open calls of one identity (200000)"),
        .value("identity-execs-max", "N", "the most execs of one identity (16000)"),
        .value(
            "identity-bytes-max",
            "N",
            "the most bytes kept for one identity: arguments, labels, unread answers (268435456)"
        ),
        .value("identity-starts-max", "N", "the most starts of one identity at once (256)"),
    ]

    static func read(
        _ arguments: Arguments,
        into registry: inout RegistryConfiguration,
        _ server: inout ServerOptions,
    ) throws(Failure) {
        try read("connections-max", arguments, into: &server.connectionsMax)
        try read("streams-max", arguments, into: &server.streamsPerConnectionMax)
        try read("execs-max", arguments, into: &registry.instancesMax)
        try read("container-execs-max", arguments, into: &registry.instancesPerContainerMax)
        try read("unauthenticated-max", arguments, into: &server.unauthenticatedConnectionsMax)
        try read("starts-per-second", arguments, min: 0, into: &server.startsPerSecondMax)
        try read("identity-connections-max", arguments, into: &server.identityLimits.connectionsMax)
        try read("identity-streams-max", arguments, into: &server.identityLimits.streamsMax)
        try read("identity-execs-max", arguments, into: &server.identityLimits.execsMax)
        try read("identity-bytes-max", arguments, into: &server.identityLimits.bytesMax)
        try read("identity-starts-max", arguments, into: &server.identityLimits.startsInFlightMax)
    }

    private static func read(
        _ name: String,
        _ arguments: Arguments,
        min: UInt64 = 1,
        into count: inout Int,
    ) throws(Failure) {
        let number = try arguments.read(name, ServeCommand.spec) {
            (text) throws(ValueProblem) -> UInt64 in
            let number = try Values.number(text)
            guard (min...1_000_000_000).contains(number) else {
                throw ValueProblem("'\(text)' is not a number from \(min) to 1000000000")
            }
            return number
        }
        if let number { count = Int(number) }
    }
}
