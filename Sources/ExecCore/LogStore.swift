internal import Kernel
internal import Synchronization

/// Where a registry keeps its logs: `<state>/execs`, and `<state>/unreadable` beside it. All of it is
/// reached from the open state directory, one checked directory after the other: what somebody puts in the
/// place of a part of the path is not followed. Any thread.
final class LogStore: Sendable {
    /// For messages.
    let path: String
    private let opened: Mutex<Opened?>

    private struct Opened {
        let state: Directory
        let execs: Directory
    }

    /// Opens the state directory when it is first needed, and makes it where it is missing.
    init(path: String) {
        self.path = path
        opened = Mutex(nil)
    }

    /// The state directory is open already.
    init(_ state: Directory, execs: Directory) {
        path = state.path
        opened = Mutex(Opened(state: state, execs: execs))
    }

    var state: Directory {
        get throws(Errno) { try open().state }
    }

    var execs: Directory {
        get throws(Errno) { try open().execs }
    }

    static let execsName = "execs"

    private func open() throws(Errno) -> Opened {
        try opened.withLock { (opened) throws(Errno) -> Opened in
            if let opened { return opened }
            let state: Directory
            do throws(PrivateFileError) {
                state = try Directory.openPrivate(path, making: 0o700)
            } catch {
                throw error.errno ?? .notPermitted
            }
            let execs = try state.makeDirectory(Self.execsName, permissions: 0o700)
            let new = Opened(state: state, execs: execs)
            opened = new
            return new
        }
    }
}

/// Where one exec's log lies in its store.
enum LogPlace: Hashable, Sendable {
    /// `<container>/<exec>`.
    case named(container: String, exec: String)
    /// It was forgotten, and has this name now.
    case removed(String)
}

extension LogStore {
    /// Opens the log's directory. ENOENT: it has none.
    func directory(of place: LogPlace) throws(Errno) -> Directory {
        switch place {
        case .named(let container, let exec):
            try execs.directory(container).directory(exec)
        case .removed(let name):
            try execs.directory(name)
        }
    }

    /// As `directory`, and makes it (0700) where it is missing.
    func makeDirectory(of place: LogPlace) throws(Errno) -> Directory {
        switch place {
        case .named(let container, let exec):
            for _ in 1..<Self.attemptsMax {
                do throws(Errno) {
                    return try execs.makeDirectory(container, permissions: 0o700)
                        .makeDirectory(exec, permissions: 0o700)
                } catch .notFound {
                    // The last other exec of the container has just taken the empty directory away.
                }
            }
            return try execs.makeDirectory(container, permissions: 0o700)
                .makeDirectory(exec, permissions: 0o700)
        case .removed(let name):
            return try execs.directory(name)
        }
    }

    private static let attemptsMax = 16

    /// Makes the log's name free; where its bytes are then, for `delete`. What can't be moved is deleted.
    func remove(_ place: LogPlace, movingTo trash: String) -> LogPlace {
        guard case .named(let container, let exec) = place, let execs = try? execs,
            let parent = try? execs.directory(container)
        else { return .removed(trash) }
        do throws(Errno) {
            try parent.rename(exec, to: execs, as: trash)
        } catch .notFound {
            // Where there are no files there is nothing to move, and nothing to delete either.
            return .removed(trash)
        } catch {
            // A full disk, say. Nobody would come back here to delete it.
            try? parent.removeTree(exec)
        }
        execs.removeDirectoryIfEmpty(container)
        return .removed(trash)
    }

    /// Deletes a log that was made free.
    func delete(_ place: LogPlace) {
        guard case .removed(let name) = place else { return }
        try? execs.removeTree(name)
    }
}
