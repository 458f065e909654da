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

/// An image or one of its platforms.
struct Line {
    text: String,
    paint: &'static str,
    details: Option<Details>,
}

const BOLD: &str = "\x1b[1m";
const NAME: &str = "\x1b[34;1m";
const FAINT: &str = "\x1b[2m";
const PLAIN: &str = "";

/// Shows the images, newest first; those without a name only with `all`.
pub fn show(session: &Session, images: &[ImageSummary], all: bool) {
    let colors = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    session.eprintln("WARNING: This is an experimental feature. The output may change and shouldn't be depended on.");
    let named = |image: &&ImageSummary| all || !(image.repo_tags.is_empty() && image.repo_digests.is_empty());
    let mut newest: Vec<&ImageSummary> = images.iter().filter(named).collect();
    newest.sort_by_key(|image| std::cmp::Reverse(image.created));
    let lines: Vec<Line> = newest.into_iter().flat_map(lines).collect();
    session.print(text(&lines, colors));
}

fn lines(image: &ImageSummary) -> Vec<Line> {
    let platforms: Vec<&ImageManifestSummary> =
        image.manifests.iter().filter(|manifest| manifest.image_data.is_some()).collect();
    let used =
        |manifest: &&ImageManifestSummary| manifest.image_data.as_ref().is_some_and(|data| !data.containers.is_empty());
    let content = platforms.iter().map(|manifest| manifest.size.content).sum();
    let details = Details {
        id: human::short_id(&image.id).into(),
        disk_usage: human::size(image.size),
        content_size: human::size(content),
        in_use: image.containers > 0 || platforms.iter().any(used),
    };
    let mut lines: Vec<Line> = match image.repo_tags.is_empty() {
        true => vec![Line { text: "<untagged>".into(), paint: FAINT, details: None }],
        false => image.repo_tags.iter().map(|name| Line { text: name.clone(), paint: NAME, details: None }).collect(),
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
        paint: if manifest.available { PLAIN } else { FAINT },
        details: Some(Details {
            id: human::short_id(&manifest.id).into(),
            disk_usage: human::size(manifest.size.total),
            content_size: human::size(manifest.size.content),
            in_use,
        }),
    }
}

fn text(lines: &[Line], colors: bool) -> String {
    let paint = |color: &str, text: &str| match colors && !color.is_empty() {
        true => format!("{color}{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let widest = lines.iter().map(|line| width::of(&line.text)).max().unwrap_or(0).max("IMAGE".len());
    let gap = |text: &str| " ".repeat(widest - width::of(text));
    let mut out = format!("{:>1$}\n\n", "Info ->  U In Use", widest + 51);
    let header =
        format!("IMAGE{}   {:<12}   {:>10}   {:>12}   EXTRA", gap("IMAGE"), "ID", "DISK USAGE", "CONTENT SIZE");
    out.push_str(&paint(BOLD, &header));
    out.push('\n');
    for line in lines {
        out.push_str(&paint(line.paint, &line.text));
        if let Some(details) = &line.details {
            let Details { id, disk_usage, content_size, in_use } = details;
            let rest = format!("{}   {id:<12}   {disk_usage:>10}   {content_size:>12}", gap(&line.text));
            out.push_str(&rest);
            if *in_use {
                out.push_str("   U");
            }
        }
        out.push('\n');
    }
    out
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
        assert_eq!(
            text(&lines(&image), false),
            "                                                 Info ->  U In Use

IMAGE             ID             DISK USAGE   CONTENT SIZE   EXTRA
long/name:1
a:1               0123456789ab       1.23MB            1kB   U
├─ linux/amd64    111111111111          2kB            1kB   U
└─ linux/arm/v7   222222222222           0B             0B
"
        );
    }
}
