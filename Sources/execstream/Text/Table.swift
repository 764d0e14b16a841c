/// Rows under titles, aligned by the widest cell, with colour only where it is asked for.
struct Table {
    private let columns: [Column]
    private var rows: [[Cell]] = []

    /// A table without rows.
    init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row; it has as many cells as there are columns.
    mutating func add(_ row: [Cell]) {
        precondition(row.count == columns.count, "a row has one cell a column")
        rows.append(row)
    }

    /// The table's lines, each ended.
    func text(colour: Bool) -> String {
        let titles = columns.map { Cell($0.title, .bold) }
        let widths = columns.indices.map { column in
            ([titles] + rows).map { $0[column].text.count }.max() ?? 0
        }
        return ([titles] + rows).map { row in
            line(row, widths: widths, colour: colour) + "\n"
        }.joined()
    }

    private func line(_ row: [Cell], widths: [Int], colour: Bool) -> String {
        var line = ""
        for (index, cell) in row.enumerated() {
            let padding = String(repeating: " ", count: widths[index] - cell.text.count)
            let text = colour ? cell.style.apply(to: cell.text) : cell.text
            let isLast = index == row.count - 1
            line += columns[index].isNumber ? padding + text : isLast ? text : text + padding
            if !isLast { line += "  " }
        }
        return line
    }

    /// A column's title, and whether its cells stand at the right.
    struct Column {
        var title: String
        var isNumber = false
    }

    /// One cell.
    struct Cell {
        var text: String
        var style: Style

        init(_ text: String, _ style: Style = .plain) {
            self.text = text
            self.style = style
        }
    }

    /// How a cell looks on a terminal.
    enum Style: String {
        case plain = ""
        case bold = "1"
        case dim = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"

        /// The text between the escape sequences for the style.
        func apply(to text: String) -> String {
            self == .plain || text.isEmpty ? text : "\u{1B}[\(rawValue)m\(text)\u{1B}[0m"
        }
    }
}
