// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

// One target a floor; a floor may use only what stands below it. ARCHITECTURE.md has the picture.
let package = Package(
    name: "execstream",
    products: [
        .executable(name: "execstream", targets: ["execstream"]),
        .library(name: "ExecCore", targets: ["ExecCore"]),
        .library(name: "ExecServer", targets: ["ExecServer"]),
        .library(name: "ExecClient", targets: ["ExecClient"]),
    ],
    targets: [
        .systemLibrary(
            name: "CProtobufC",
            pkgConfig: "libprotobuf-c",
            providers: [.apt(["libprotobuf-c-dev"])],
        ),
        .target(name: "CExecProto", dependencies: ["CProtobufC"]),
        .target(name: "CLinux"),
        .systemLibrary(
            name: "COpenSSL",
            pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"])],
        ),
        .target(name: "Kernel", dependencies: ["CLinux", "COpenSSL"], swiftSettings: settings),
        .target(name: "ExecModel", swiftSettings: settings),
        .target(
            name: "Wire",
            dependencies: ["ExecModel", "CExecProto", "CProtobufC"],
            swiftSettings: settings,
        ),
        .target(name: "ExecCore", dependencies: ["ExecModel", "Kernel"], swiftSettings: settings),
        .target(
            name: "ExecServer",
            dependencies: ["ExecModel", "Kernel", "Wire", "ExecCore"],
            swiftSettings: settings,
        ),
        .target(
            name: "ExecClient",
            dependencies: ["ExecModel", "Kernel", "Wire"],
            swiftSettings: settings,
        ),
        .systemLibrary(
            name: "CLua",
            pkgConfig: "lua5.4",
            providers: [.apt(["liblua5.4-dev"])],
        ),
        .target(name: "CLuaBridge", dependencies: ["CLua"]),
        .target(
            name: "ExecLua",
            dependencies: [
                "ExecModel", "Kernel", "ExecCore", "ExecServer", "ExecClient", "CLuaBridge",
            ],
            swiftSettings: settings,
        ),
        .executableTarget(
            name: "execstream",
            dependencies: [
                "ExecModel", "Kernel", "ExecCore", "ExecServer", "ExecClient", "ExecLua",
            ],
            swiftSettings: settings,
        ),
        .executableTarget(
            name: "EmbeddingExample",
            dependencies: ["ExecServer"],
            path: "Examples/Embedding",
            swiftSettings: settings,
        ),
        .executableTarget(
            name: "ClientExample",
            dependencies: ["ExecClient"],
            path: "Examples/Client",
            swiftSettings: settings,
        ),
        .testTarget(name: "KernelTests", dependencies: ["Kernel"], swiftSettings: settings),
        .testTarget(
            name: "WireTests",
            dependencies: ["Wire", "ExecModel", "CExecProto", "CProtobufC"],
            swiftSettings: settings,
        ),
        .testTarget(
            name: "ExecCoreTests",
            dependencies: ["ExecCore", "ExecModel", "Kernel"],
            swiftSettings: settings,
        ),
        .testTarget(
            name: "ServiceTests",
            dependencies: ["ExecServer", "ExecClient", "ExecCore", "ExecModel", "Kernel", "Wire"],
            swiftSettings: settings,
        ),
        .testTarget(
            name: "ClientTests",
            dependencies: ["ExecClient", "ExecModel", "Kernel", "Wire"],
            swiftSettings: settings,
        ),
        .testTarget(
            name: "LuaTests",
            dependencies: [
                "ExecLua", "ExecCore", "ExecServer", "ExecClient", "ExecModel", "Kernel",
            ],
            swiftSettings: settings,
        ),
        .testTarget(
            name: "ProgramTests",
            dependencies: ["execstream", "ExecClient", "ExecModel", "Kernel"],
            swiftSettings: settings,
        ),
        // The built program as a process of its own; it depends on nothing of it but that it is built.
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["execstream", "Kernel"],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17,
)

// Scripts/fuzz alone asks for these: the ordinary build knows nothing of them. A fuzzer has a `main`
// of its own, so the program is without its one here, and no other program and no test is there.
if Context.environment["EXECSTREAM_FUZZ"] != nil {
    let program = package.targets.first { $0.name == "execstream" }
    package.products = []
    package.targets.removeAll { $0.type == .executable || $0.type == .test }
    package.targets += [
        .target(
            name: "execstream",
            dependencies: program?.dependencies ?? [],
            exclude: ["main.swift"],
            swiftSettings: settings,
        ),
        .systemLibrary(name: "CFuzzer", path: "Fuzz/CFuzzer"),
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "CFuzzer", "Wire", "ExecModel", "ExecCore", "ExecClient", "Kernel", "execstream",
            ],
            path: "Fuzz/Targets",
            swiftSettings: settings,
        ),
    ]
}
