//! Columns as Go's `text/tabwriter` lays them out with Docker's settings: a cell ends at a tab, is at least 10 wide
//! and has 3 spaces behind it; a column is as wide as its widest cell among adjoining lines. What follows a line's
//! last tab belongs to no column.

use super::width;

/// The narrowest a column may be, padding included.
const MINIMUM: usize = 10;

/// Spaces behind the widest cell of a column.
const PADDING: usize = 3;

/// Replaces the tabs of `text` by spaces.
pub fn align(text: &str) -> String {
    align_with(text, MINIMUM, PADDING)
}

/// The same with other settings; `info` and `version` need none, `top` has a wider minimum.
pub fn align_with(text: &str, minimum: usize, padding: usize) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|cells| vec![0; cells.len() - 1]).collect();
    let most = widths.iter().map(Vec::len).max().unwrap_or(0);
    for column in 0..most {
        let mut line = 0;
        while line < lines.len() {
            // adjoining lines which have a cell here
            let end = (line..lines.len()).find(|&at| widths[at].len() <= column).unwrap_or(lines.len());
            let widest = lines[line..end].iter().map(|cells| width::of(cells[column]) + padding).max().unwrap_or(0);
            widths[line..end].iter_mut().for_each(|row| row[column] = widest.max(minimum));
            line = end + 1;
        }
    }
    let mut out = String::with_capacity(text.len() * 2);
    for (at, (cells, widths)) in lines.iter().zip(&widths).enumerate() {
        if at > 0 {
            out.push('\n');
        }
        for (index, cell) in cells.iter().enumerate() {
            out.push_str(cell);
            if let Some(total) = widths.get(index) {
                out.extend(std::iter::repeat_n(' ', total.saturating_sub(width::of(cell))));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_as_go_does() {
        for (text, expected) in [
            ("ID\tNAME\n", "ID        NAME\n"),
            ("ID\tLONGER NAME\tX\na\tb\tc\n", "ID        LONGER NAME   X\na         b             c\n"),
            // an empty cell still takes its place; a line without tabs parts the blocks
            ("a\t\tb\n", "a                   b\n"),
            ("12345678901\tx\nplain\na\ty\n", "12345678901   x\nplain\na         y\n"),
            ("日本語日本語\tx\na\ty\n", "日本語日本語   x\na              y\n"),
            ("x\t", "x         "),
        ] {
            assert_eq!(align(text), expected);
        }
    }
}
