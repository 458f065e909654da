//! `image ls`, `images`.

use std::rc::Rc;

use api::endpoints::{ImageList, ImageListQuery};
use api::types::ImageSummary;
use values::Reference;

use crate::command::{Args, Command, Complete};
use crate::flags::Flag;
use crate::flags::filters::filters;
use crate::output::listing::{Column, Listing};
use crate::output::{human, local_time};
use crate::{Failure, Invocation, Outcome, Session};

pub static COMMAND: Command = Command {
    spellings: &["image ls", "image list", "images"],
    usage: "[OPTIONS] [REPOSITORY[:TAG]]",
    about: "List images",
    args: Args::AtMost(1),
    complete: Complete::Images,
    flags: &[
        Flag::bool("all", "Show all images (default hides intermediate images)").short('a'),
        Flag::bool("digests", "Show digests"),
        Flag::filter("filter", "Filter output based on conditions provided").short('f'),
        Flag::text("format", crate::output::listing::FORMAT_HELP),
        Flag::bool("no-trunc", "Don't truncate output"),
        Flag::bool("quiet", "Only show image IDs").short('q'),
        Flag::bool("tree", "List multi-platform images as a tree (EXPERIMENTAL)"),
    ],
    run,
    ..Command::DEFAULT
};

const NONE: &str = "<none>";

fn run(session: &Session, call: &Invocation) -> Outcome {
    let mut filters = filters(call, "filter");
    if let Some(name) = call.args.first() {
        filters.add("reference", name);
    }
    let mut query = ImageListQuery { all: call.is("all"), filters, ..ImageListQuery::default() };
    if call.is("tree") {
        refuse_beside_tree(call)?;
        query.manifests = true;
        let images = session.client()?.call::<ImageList>(&[], &query, &())?;
        super::tree::show(session, &images, query.all);
        return Ok(0);
    }
    let (quiet, digests) = (call.is("quiet"), call.is("digests"));
    let configured = &session.config().images_format;
    let format = match call.text_or_empty("format") {
        "" if quiet || configured.is_empty() => "table",
        "" => configured,
        given => given,
    };
    let template = template(format, quiet, digests);
    let images = session.client()?.call::<ImageList>(&[], &query, &())?;
    let look = Look { trunc: !call.is("no-trunc"), digests, names_digest: template.contains("{{.Digest}}") };
    session.print(LISTING.render(&template, images.into_iter().flat_map(|image| rows(image, look)))?);
    Ok(0)
}

fn refuse_beside_tree(call: &Invocation) -> Result<(), Failure> {
    let beside = [("quiet", "quiet"), ("no-trunc", "no-trunc"), ("digests", "show-digest"), ("format", "format")];
    match beside.iter().find(|(flag, _)| call.given(flag)) {
        Some((_, name)) => Err(Failure::new(format!("--{name} is not yet supported with --tree"))),
        None => Ok(()),
    }
}

/// The template behind `format`.
fn template(format: &str, quiet: bool, digests: bool) -> String {
    let digest = |text: &str| if digests { text.to_owned() } else { String::new() };
    match format {
        "table" if quiet => "{{.ID}}".into(),
        "table" => format!(
            "table {{{{.Repository}}}}\t{{{{.Tag}}}}\t{}{{{{.ID}}}}\t{{{{.CreatedSince}}}}\t{{{{.Size}}}}",
            digest("{{.Digest}}\t")
        ),
        "raw" if quiet => "image_id: {{.ID}}".into(),
        "raw" => raw(digests),
        other if other.starts_with("table") && digests && !other.contains("{{.Digest}}") => {
            format!("{other}\t{{{{.Digest}}}}")
        }
        other => other.into(),
    }
}

/// The template of `raw`.
pub fn raw(digests: bool) -> String {
    let digest = if digests { "digest: {{.Digest}}\n" } else { "" };
    format!(
        "repository: {{{{.Repository}}}}\ntag: {{{{.Tag}}}}\n{digest}image_id: {{{{.ID}}}}\ncreated_at: {{{{.CreatedAt}}}}\nvirtual_size: {{{{.Size}}}}\n"
    )
}

/// What the rows depend on.
#[derive(Clone, Copy)]
struct Look {
    trunc: bool,
    /// `--digests`: a row for each digest.
    digests: bool,
    /// The template names the digest.
    names_digest: bool,
}

/// One name of an image.
pub struct Row {
    image: Rc<ImageSummary>,
    trunc: bool,
    repository: String,
    tag: String,
    digest: String,
}

impl Row {
    /// The image by its first name alone, without a digest. `trunc`: the short form of its id.
    pub fn first(image: ImageSummary, trunc: bool) -> Self {
        let name =
            image.repo_tags.first().filter(|_| !is_dangling(&image)).and_then(|name| name.parse::<Reference>().ok());
        let (repository, tag) = match name {
            Some(name) => (name.familiar_name(), name.tag.unwrap_or_else(|| NONE.into())),
            None => (NONE.into(), NONE.into()),
        };
        Self { image: Rc::new(image), trunc, repository, tag, digest: String::new() }
    }
}

/// What an image has under one repository.
#[derive(Default)]
struct Names {
    tags: Vec<String>,
    digests: Vec<String>,
}

/// A row for each tag; where digests are shown, for each of their pairs. An image without a name is `<none>:<none>`.
fn rows(image: ImageSummary, look: Look) -> Vec<Row> {
    let image = Rc::new(image);
    let row = |repository: &str, tag: &str, digest: &str| Row {
        image: Rc::clone(&image),
        trunc: look.trunc,
        repository: repository.into(),
        tag: tag.into(),
        digest: digest.into(),
    };
    if is_dangling(&image) {
        return vec![row(NONE, NONE, NONE)];
    }
    let mut rows = Vec::new();
    for (repository, names) in repositories(&image) {
        for tag in &names.tags {
            if names.digests.is_empty() || !(look.digests || look.names_digest) {
                rows.push(row(&repository, tag, NONE));
                continue;
            }
            rows.extend(names.digests.iter().map(|digest| row(&repository, tag, digest)));
        }
        match names.tags.is_empty() {
            true if look.digests => rows.extend(names.digests.iter().map(|digest| row(&repository, NONE, digest))),
            true => rows.push(row(&repository, NONE, "")),
            false => {}
        }
    }
    rows
}

/// Also what daemons up to 1.42 call an image without a name.
fn is_dangling(image: &ImageSummary) -> bool {
    let only = |names: &[String], name: &str| matches!(names, [one] if one == name);
    let (tags, digests) = (&image.repo_tags, &image.repo_digests);
    tags.is_empty() && digests.is_empty() || only(tags, "<none>:<none>") && only(digests, "<none>@<none>")
}

/// Tags and digests by repository, those with tags first, else in the daemon's order.
fn repositories(image: &ImageSummary) -> Vec<(String, Names)> {
    let mut found: Vec<(String, Names)> = Vec::new();
    let parsed = image.repo_tags.iter().chain(&image.repo_digests).filter_map(|name| name.parse::<Reference>().ok());
    for reference in parsed {
        let repository = reference.familiar_name();
        let at = found.iter().position(|(known, _)| *known == repository).unwrap_or(found.len());
        if at == found.len() {
            found.push((repository, Names::default()));
        }
        let names = &mut found[at].1;
        names.tags.extend(reference.tag);
        names.digests.extend(reference.digest.map(|digest| digest.to_string()));
    }
    found
}

/// Images' columns.
pub static LISTING: Listing<Row> = Listing {
    type_name: "*formatter.imageContext",
    columns: &[
        Column { name: "Containers", caption: "CONTAINERS", value: |row| counted(row.image.containers).into() },
        Column {
            name: "CreatedAt",
            caption: "CREATED AT",
            value: |row| local_time::go_default(row.image.created).into(),
        },
        Column { name: "CreatedSince", caption: "CREATED", value: |row| human::ago(row.image.created).into() },
        Column { name: "Digest", caption: "DIGEST", value: |row| row.digest.as_str().into() },
        Column { name: "ID", caption: "IMAGE ID", value: |row| id(row).into() },
        Column { name: "Repository", caption: "REPOSITORY", value: |row| row.repository.as_str().into() },
        Column { name: "SharedSize", caption: "SHARED SIZE", value: |row| shared_size(row).into() },
        Column { name: "Size", caption: "SIZE", value: |row| human::size(row.image.size).into() },
        Column { name: "Tag", caption: "TAG", value: |row| row.tag.as_str().into() },
        Column { name: "UniqueSize", caption: "UNIQUE SIZE", value: |row| unique_size(row).into() },
        Column { name: "VirtualSize", caption: "SIZE", value: |row| long_size(row.image.size).into() },
    ],
    label: None,
};

/// A figure that the daemon may not have computed.
const UNKNOWN: &str = "N/A";

fn counted(containers: i64) -> String {
    if containers == -1 { UNKNOWN.into() } else { containers.to_string() }
}

fn id(row: &Row) -> &str {
    if row.trunc { human::short_id(&row.image.id) } else { &row.image.id }
}

fn long_size(bytes: i64) -> String {
    values::size::human(bytes as f64)
}

fn shared_size(row: &Row) -> String {
    if row.image.shared_size == -1 { UNKNOWN.into() } else { long_size(row.image.shared_size) }
}

fn unique_size(row: &Row) -> String {
    match (row.image.size, row.image.shared_size) {
        (-1, _) | (_, -1) => UNKNOWN.into(),
        (size, shared) => long_size(size - shared),
    }
}
