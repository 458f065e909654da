//! `image ls --tree`: images with the platforms they hold.

use std::io::IsTerminal;

use api::types::{ImageManifestSummary, ImageSummary};

use crate::Session;
use crate::output::{human, width};

/// What a line tells beside its name.
struct Details {
    id: String,
    disk_usage: String,
    content_size: String,
    in_use: bool,
}

/// An image, one of its names or one of its platforms.
struct Line {
    text: String,
    paint: Paint,
    details: Option<Details>,
}

#[derive(Clone, Copy)]
enum Paint {
    Head,
    Name,
    Plain,
    Faint,
    Warning,
    Chip,
}

impl Paint {
    fn codes(self) -> &'static str {
        match self {
            Self::Head => "\x1b[39m\x1b[1m",
            Self::Name => "\x1b[34m\x1b[1m",
            Self::Plain => "\x1b[39m",
            Self::Faint => "\x1b[39m\x1b[2m",
            Self::Warning => "\x1b[93m",
            Self::Chip => "\x1b[38;5;0m\x1b[48;5;14m",
        }
    }
}

/// Beside the name: titles, and how wide they are.
const COLUMNS: [(&str, usize); 4] = [("ID", 12), ("DISK USAGE", 10), ("CONTENT SIZE", 12), ("EXTRA", 5)];
const SPACING: usize = 3;
/// Columns are left out from the right, until so much is left for the name.
const NAME_MIN: usize = 12;
const WIDTH_MIN: usize = 20;
/// Where it is no terminal.
const WIDTH: usize = 80;

/// Shows the images, newest first; those without a name only with `all`.
pub fn show(session: &Session, images: &[ImageSummary], all: bool) {
    let stdout = std::io::stdout();
    let is_terminal = stdout.is_terminal();
    let width = match rustix::termios::tcgetwinsize(&stdout) {
        Ok(size) if is_terminal && size.ws_col > 0 => size.ws_col.into(),
        _ => WIDTH,
    };
    let look = Look { width, colors: is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) };
    let named = |image: &&ImageSummary| all || !(image.repo_tags.is_empty() && image.repo_digests.is_empty());
    let mut newest: Vec<&ImageSummary> = images.iter().filter(named).collect();
    newest.sort_by_key(|image| std::cmp::Reverse(image.created));
    let images: Vec<Vec<Line>> = newest.into_iter().map(lines).collect();
    session.print(look.text(&images));
}

fn lines(image: &ImageSummary) -> Vec<Line> {
    let platforms: Vec<&ImageManifestSummary> =
        image.manifests.iter().filter(|manifest| manifest.image_data.is_some()).collect();
    let used =
        |manifest: &&ImageManifestSummary| manifest.image_data.as_ref().is_some_and(|data| !data.containers.is_empty());
    let details = Details {
        id: human::short_id(&image.id).into(),
        disk_usage: human::size(image.size),
        // attestations too
        content_size: human::size(image.manifests.iter().map(|manifest| manifest.size.content).sum()),
        in_use: image.containers > 0 || platforms.iter().any(used),
    };
    let mut lines: Vec<Line> = match image.repo_tags.is_empty() {
        true => vec![Line { text: "<untagged>".into(), paint: Paint::Faint, details: None }],
        false => {
            image.repo_tags.iter().map(|name| Line { text: name.clone(), paint: Paint::Name, details: None }).collect()
        }
    };
    // the shortest name has the details beside it
    lines.sort_by_key(|line| std::cmp::Reverse(width::of(&line.text)));
    if let Some(last) = lines.last_mut() {
        last.details = Some(details);
    }
    for (index, manifest) in platforms.iter().enumerate() {
        lines.push(platform(manifest, index + 1 == platforms.len(), used(manifest)));
    }
    lines
}

fn platform(manifest: &ImageManifestSummary, last: bool, in_use: bool) -> Line {
    let name = manifest.image_data.as_ref().map_or_else(String::new, |data| {
        let platform = &data.platform;
        let parts = [platform.os.as_str(), &platform.architecture, platform.variant.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    });
    Line {
        text: format!("{}{name}", if last { "└─ " } else { "├─ " }),
        paint: if manifest.available { Paint::Plain } else { Paint::Faint },
        details: Some(Details {
            id: human::short_id(&manifest.id).into(),
            disk_usage: human::size(manifest.size.total),
            content_size: human::size(manifest.size.content),
            in_use,
        }),
    }
}

/// Where it is shown.
struct Look {
    width: usize,
    colors: bool,
}

impl Look {
    fn text(&self, images: &[Vec<Line>]) -> String {
        let width = self.width.max(WIDTH_MIN);
        let (left, columns) = fitting(width);
        // Docker counts bytes here, and the branches of the tree have more of them than columns
        let widest = images.iter().flatten().map(|line| line.text.len());
        let name = left.min(widest.max().unwrap_or(0).max("IMAGE".len()));
        let warning = "WARNING: This is an experimental feature. The output may change and shouldn't be depended on.";
        let mut out = format!("{}\n{}\n\n", self.paint(Paint::Warning, warning), self.legend());
        out.push_str(&self.left("IMAGE", name, Paint::Head));
        for (title, width) in &COLUMNS[..columns] {
            out.push_str(&" ".repeat(SPACING));
            out.push_str(&self.left(title, *width, Paint::Head));
        }
        out.push('\n');
        for image in images {
            for line in image {
                match &line.details {
                    None => out.push_str(&self.paint(line.paint, &cut(&line.text, width))),
                    Some(details) => {
                        out.push_str(&self.left(&cut(&line.text, name), name, line.paint));
                        let paint = if matches!(line.paint, Paint::Faint) && is_platform(line) {
                            Paint::Faint
                        } else {
                            Paint::Plain
                        };
                        self.cells(details, paint).iter().take(columns).for_each(|cell| {
                            out.push_str(&" ".repeat(SPACING));
                            out.push_str(cell);
                        });
                    }
                }
                out.push('\n');
            }
            out.push('\n');
        }
        out
    }

    fn legend(&self) -> String {
        let (text, columns) = match self.colors {
            true => {
                let chip = self.paint(Paint::Chip, " U ");
                (format!("\x1b[1m\x1b[106m\x1b[30mi\x1b[0m\x1b[0m \x1b[96mInfo → \x1b[0m\x1b[0m {chip} In Use "), 21)
            }
            false => ("Info ->  U In Use ".to_owned(), 18),
        };
        " ".repeat(self.width.saturating_sub(columns)) + &text
    }

    fn cells(&self, details: &Details, paint: Paint) -> [String; 4] {
        let right =
            |text: &str, width: usize| " ".repeat(width.saturating_sub(width::of(text))) + &self.paint(paint, text);
        let in_use = match (details.in_use, self.colors) {
            (true, true) => self.paint(Paint::Chip, " U ") + "  ",
            (true, false) => "U    ".into(),
            (false, _) => " ".repeat(COLUMNS[3].1),
        };
        [
            self.left(&details.id, COLUMNS[0].1, paint),
            right(&details.disk_usage, COLUMNS[1].1),
            right(&details.content_size, COLUMNS[2].1),
            in_use,
        ]
    }

    fn left(&self, text: &str, columns: usize, paint: Paint) -> String {
        self.paint(paint, text) + &" ".repeat(columns.saturating_sub(width::of(text)))
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        if self.colors { format!("{}{text}\x1b[0m", paint.codes()) } else { text.to_owned() }
    }
}

/// What is left for the name, and how many columns have room beside it.
fn fitting(width: usize) -> (usize, usize) {
    let mut left = width;
    for (count, (_, column)) in COLUMNS.iter().enumerate() {
        match left.checked_sub(column + SPACING).filter(|left| *left >= NAME_MIN) {
            Some(less) => left = less,
            None => return (left, count),
        }
    }
    (left, COLUMNS.len())
}

/// An untagged image is faint itself, its details are not.
fn is_platform(line: &Line) -> bool {
    line.text.starts_with(['└', '├'])
}

fn cut(text: &str, columns: usize) -> String {
    if width::of(text) <= columns {
        return text.to_owned();
    }
    let mut taken = 0;
    let fits = |c: &char| {
        taken += width::of_char(*c);
        taken < columns
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_then_platforms() {
        let image: ImageSummary = serde_json::from_value(serde_json::json!({
            "Containers": -1, "Created": 0, "Id": "sha256:0123456789abcdef", "Labels": null, "ParentId": "",
            "RepoDigests": [], "RepoTags": ["a:1", "long/name:1"], "SharedSize": -1, "Size": 1234567,
            "Manifests": [
                {"ID": "sha256:1111111111111111", "Descriptor": {"mediaType": "", "digest": "", "size": 0}, "Available": true, "Kind": "image",
                 "Size": {"Content": 1000, "Total": 2000},
                 "ImageData": {"Platform": {"architecture": "amd64", "os": "linux"}, "Containers": ["c"], "Size": {"Unpacked": 0}}},
                {"ID": "sha256:2222222222222222", "Descriptor": {"mediaType": "", "digest": "", "size": 0}, "Available": false, "Kind": "image",
                 "Size": {"Content": 0, "Total": 0},
                 "ImageData": {"Platform": {"architecture": "arm", "os": "linux", "variant": "v7"}, "Containers": [], "Size": {"Unpacked": 0}}}
            ]
        }))
        .unwrap();
        let (lines, trailing) = (vec![lines(&image)], " ".repeat(8));
        let wide = Look { width: 80, colors: false }.text(&lines);
        let expected = "IMAGE                 ID             DISK USAGE   CONTENT SIZE   EXTRA
long/name:1
a:1                   0123456789ab       1.23MB            1kB   U    
├─ linux/amd64        111111111111          2kB            1kB   U    
└─ linux/arm/v7       222222222222           0B             0B@

";
        assert_eq!(wide.split_once("\n\n").unwrap().1, expected.replace('@', &trailing));
        let narrow = Look { width: 40, colors: false }.text(&lines);
        let expected = "IMAGE          ID             DISK USAGE
long/name:1
a:1            0123456789ab       1.23MB
├─ linux/am…   111111111111          2kB
└─ linux/ar…   222222222222           0B

";
        assert_eq!(narrow.split_once("\n\n").unwrap().1, expected);
    }

    #[test]
    fn what_fits() {
        for (width, expected) in [(20, (20, 0)), (40, (12, 2)), (60, (17, 3)), (80, (29, 4)), (200, (149, 4))] {
            assert_eq!(fitting(width), expected, "{width}");
        }
    }
}
