internal import Glibc

/// A user or group that could not be found, for people.
package struct UserLookupError: Error, Hashable, Sendable, CustomStringConvertible {
    package let message: String
    package var description: String { message }
}

/// A user as a process is started for it, with what its environment tells.
package struct UserAccount: Hashable, Sendable {
    package var ids: UserIDs
    /// Nil: the number has no account.
    package var name: String?
    /// "/" where there is no account.
    package var home: String
    package var shell: String
}

/// The machine's users. All of this may hang in a name service, so it must not be asked on a loop.
package enum Users {
    /// The numbers of whom "name", "uid", "name:group" or "uid:gid" means. A known user brings its own groups,
    /// unless a group is named: then it has that one only. A number nobody has needs a group.
    package static func lookup(_ text: String) throws(UserLookupError) -> UserIDs {
        try find(text).ids
    }

    /// As `lookup`, with what else is known of the user.
    package static func find(_ text: String) throws(UserLookupError) -> UserAccount {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let user = parts.first, !user.isEmpty, parts.count == 1 || !parts[1].isEmpty,
            !text.utf8.contains(0)
        else {
            throw UserLookupError(
                message: "'\(text)' is not a user: name, uid, name:group or uid:gid"
            )
        }
        let account = account(String(user))
        guard let uid = UInt32(user) ?? account?.uid, uid != .max else {
            throw UserLookupError(message: "there is no user '\(user)'")
        }
        if parts.count == 2 {
            guard let gid = UInt32(parts[1]) ?? group(String(parts[1])), gid != .max else {
                throw UserLookupError(message: "there is no group '\(parts[1])'")
            }
            return UserAccount(UserIDs(uid: uid, gid: gid, groups: [gid]), account)
        }
        guard let account else {
            throw UserLookupError(
                message:
                    "there is no user with the number \(uid): name a group too, as in \(uid):\(uid)"
            )
        }
        return UserAccount(
            UserIDs(uid: uid, gid: account.gid, groups: groups(of: account)),
            account
        )
    }

    fileprivate struct Account {
        let name: String
        let uid: UInt32
        let gid: UInt32
        let home: String
        let shell: String
    }

    private static let bufferBytesMax = 1 << 20
    private static let groupsMax = 65_536

    /// The account with that number or name.
    private static func account(_ user: String) -> Account? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        return lookup { buffer, size in
            if let uid = UInt32(user) { return getpwuid_r(uid, &entry, buffer, size, &found) }
            return getpwnam_r(user, &entry, buffer, size, &found)
        } then: {
            guard let found, let name = found.pointee.pw_name else { return nil }
            return Account(
                name: String(cString: name),
                uid: found.pointee.pw_uid,
                gid: found.pointee.pw_gid,
                home: found.pointee.pw_dir.map { String(cString: $0) } ?? "",
                shell: found.pointee.pw_shell.map { String(cString: $0) } ?? "",
            )
        }
    }

    private static func group(_ name: String) -> UInt32? {
        var entry = Glibc.group()
        var found: UnsafeMutablePointer<Glibc.group>?
        return lookup { buffer, size in
            getgrnam_r(name, &entry, buffer, size, &found)
        } then: {
            found?.pointee.gr_gid
        }
    }

    /// Calls with a buffer that grows for as long as it is too small; `then` runs while it lives.
    private static func lookup<Result>(
        _ call: (UnsafeMutablePointer<CChar>, Int) -> Int32,
        then: () -> Result?,
    ) -> Result? {
        var size = 4096
        while size <= bufferBytesMax {
            let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
            defer { buffer.deallocate() }
            switch call(buffer, size) {
            case 0: return then()
            case ERANGE: size *= 4
            case EINTR: continue
            default: return nil
            }
        }
        return nil
    }

    private static func groups(of account: Account) -> [UInt32] {
        var count: Int32 = 64
        while Int(count) <= groupsMax {
            var groups = [gid_t](repeating: 0, count: Int(count))
            let capacity = count
            if getgrouplist(account.name, account.gid, &groups, &count) >= 0 {
                return Array(groups.prefix(Int(count)))
            }
            // It says how many there are; a bit more in case it doesn't.
            count = max(count, capacity * 2)
        }
        return [account.gid]
    }
}

extension UserAccount {
    fileprivate init(_ ids: UserIDs, _ account: Users.Account?) {
        self.ids = ids
        name = account?.name
        // As login(1) has it for those that are empty.
        home = account.map(\.home).flatMap { $0.isEmpty ? nil : $0 } ?? "/"
        shell = account.map(\.shell).flatMap { $0.isEmpty ? nil : $0 } ?? "/bin/sh"
    }
}
