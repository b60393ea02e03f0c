//! Tables in Markdown.

/// Returns a table: the first row is the heading, columns are as wide as their widest cell.
///
/// # Examples
/// ```
/// let rows = [["a", "b"], ["long", "1"]].map(|row| row.map(String::from).to_vec());
/// assert_eq!(edge_bench::table::markdown(&rows), "| a    | b |\n| ---- | - |\n| long | 1 |\n");
/// ```
#[must_use]
pub fn markdown(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&format!("| {cell:<width$} "));
        }
        text.push_str("|\n");
        if index == 0 {
            widths.iter().for_each(|width| text.push_str(&format!("| {} ", "-".repeat(*width))));
            text.push_str("|\n");
        }
    }
    text
}
