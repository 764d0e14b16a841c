internal import ExecModel
internal import Kernel

/// A file that names resources: one JSON object, in which each name is a resource's and each value
/// describes it. Docs/lua.md has the fields.
package enum ResourceFile {
    private static let bytesMax = 1 << 20

    /// What there is without a file.
    package static var standard: [String: Resource] { [Resource.native: Resource()] }

    /// The resources that are always there, and those of the file.
    package static func read(_ path: String) throws(ResourceProblem) -> [String: Resource] {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try Files.readSmall(path, max: bytesMax)
        } catch {
            throw ResourceProblem("can't read the resource file '\(path)': \(error)")
        }
        do throws(ResourceProblem) {
            return try parse(bytes)
        } catch {
            throw ResourceProblem("the resource file '\(path)' is wrong: \(error.message)")
        }
    }

    /// The same from the file's bytes.
    package static func parse(_ bytes: [UInt8]) throws(ResourceProblem) -> [String: Resource] {
        let value: JSONValue
        do throws(JSONProblem) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw ResourceProblem("line \(error.line): \(error.message)")
        }
        var resources = standard
        for member in try Field(value, "it").object() {
            resources[member.name] = try resource(Field(member.value, "'\(member.name)'"))
        }
        return resources
    }

    private static func resource(_ field: Field) throws(ResourceProblem) -> Resource {
        var resource = Resource()
        for member in try field.object() {
            let field = Field(member.value, "\(field.name): '\(member.name)'")
            switch member.name {
            case "kind": resource.kind = try field.string()
            case "address": resource.address = try field.string()
            case "token_file": resource.tokenFile = try field.string()
            case "container": resource.container = try field.container()
            case "env": resource.environment = try field.environment()
            case "work_dir": resource.workingDirectory = try field.string()
            case "allowed_commands":
                resource.allowedCommands = try field.strings().map { CommandRule($0) }
            case "grace": resource.graceMS = try field.milliseconds()
            case "keep": resource.keepsExited = try field.bool()
            default: throw ResourceProblem("\(field.name) is not known")
            }
        }
        return resource
    }
}

/// What is wrong with a resource, or with a file of them, in one line.
package struct ResourceProblem: Error, Equatable {
    package let message: String

    init(_ message: String) { self.message = message }
}

/// A value, and what it is called in complaints.
private struct Field {
    let value: JSONValue
    let name: String

    init(_ value: JSONValue, _ name: String) {
        self.value = value
        self.name = name
    }

    func object() throws(ResourceProblem) -> [JSONValue.Member] {
        guard case .object(let members) = value else { throw mustBe("an object") }
        return members
    }

    func string() throws(ResourceProblem) -> String {
        guard case .string(let text) = value else { throw mustBe("a string") }
        guard !text.utf8.contains(0) else {
            throw ResourceProblem("\(name) has a NUL character in it")
        }
        return text
    }

    func bool() throws(ResourceProblem) -> Bool {
        guard case .bool(let value) = value else { throw mustBe("true or false") }
        return value
    }

    func strings() throws(ResourceProblem) -> [String] {
        guard case .array(let elements) = value else { throw mustBe("a list of strings") }
        var strings: [String] = []
        for element in elements { strings.append(try Field(element, "one of \(name)").string()) }
        return strings
    }

    func environment() throws(ResourceProblem) -> [String: String] {
        var environment: [String: String] = [:]
        for member in try object() {
            let field = Field(member.value, "\(name): '\(member.name)'")
            guard !member.name.isEmpty, !member.name.contains("="), !member.name.utf8.contains(0)
            else {
                throw ResourceProblem("\(field.name) can't be the name of a variable")
            }
            environment[member.name] = try field.string()
        }
        return environment
    }

    func container() throws(ResourceProblem) -> String {
        let text = try string()
        do throws(ExecError) {
            try ExecKey.check(text, field: name)
        } catch {
            throw ResourceProblem(error.message)
        }
        return text
    }

    func milliseconds() throws(ResourceProblem) -> UInt64 {
        let text = try string()
        guard let duration = ScriptTime.parse(text), duration > .zero else {
            throw ResourceProblem("\(name): '\(text)' is not a time such as \"500ms\" or \"5s\"")
        }
        return UInt64(max(1, duration / .milliseconds(1)))
    }

    private func mustBe(_ what: String) -> ResourceProblem {
        ResourceProblem("\(name) must be \(what), not \(value.kind)")
    }
}
