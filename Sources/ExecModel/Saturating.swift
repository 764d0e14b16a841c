extension UInt64 {
    /// The sum, or the largest number where it does not fit: for counts that a peer reports.
    package func saturatingAdd(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
