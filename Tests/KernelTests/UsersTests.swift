internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite struct UsersTests {
    @Test func `finds a user by name and by number`() throws {
        let root = try Users.lookup("root")
        #expect(root.uid == 0)
        #expect(root.gid == 0)
        #expect(root.groups.contains(0))
        #expect(try Users.lookup("0") == root)
        #expect(try Users.lookup("daemon").uid != 0)
    }

    @Test func `takes a named group and no other`() throws {
        #expect(try Users.lookup("0:0") == UserIDs(uid: 0, gid: 0, groups: [0]))
        #expect(try Users.lookup("4711:4712") == UserIDs(uid: 4711, gid: 4712, groups: [4712]))
        #expect(try Users.lookup("root:daemon").gid == Users.lookup("daemon").gid)
    }

    @Test(arguments: [
        ("", "is not a user"), (":1", "is not a user"), ("1:", "is not a user"),
        ("a\0b", "is not a user"), ("no-such-user", "there is no user 'no-such-user'"),
        ("0:no-such-group", "there is no group 'no-such-group'"),
        ("4711", "name a group too, as in 4711:4711"),
        ("4294967295:1", "there is no user '4294967295'"),
        ("1:4294967295", "there is no group '4294967295'"),
        ("-1", "there is no user '-1'"),
    ])
    func `says whom it did not find`(text: String, problem: String) throws {
        let error = try #require(throws: UserLookupError.self) { try Users.lookup(text) }
        #expect(error.message.contains(problem))
    }
}
