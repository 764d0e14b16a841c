internal import Kernel

/// Tells systemd how far the server is, where systemd has started it and wants to know.
struct ServiceManager {
    private let path: String?

    init(environment: [String: String]) { path = environment["NOTIFY_SOCKET"] }

    /// Sends one assignment, such as `READY=1`. A manager that can't be told is no reason to stop.
    func tell(_ assignment: String) {
        guard let path, !path.isEmpty else { return }
        try? Sockets.sendDatagram(Array(assignment.utf8), to: path)
    }
}
