extension Optional where Wrapped: ~Copyable {
    /// Lends what is there to `body`; nil: there is nothing. (`map` would consume it.)
    package borrowing func lend<R: ~Copyable, E: Error>(
        _ body: (borrowing Wrapped) throws(E) -> R,
    ) throws(E) -> R? {
        switch self {
        case .some(let value): try body(value)
        case .none: nil
        }
    }
}
