//! Which images a list shows.

use std::borrow::Borrow;
use std::collections::BTreeSet;

use api::Filters;
use api::types::ImageSummary;
use image::Image;
use values::{Digest, Reference, Result, Timestamp};

use super::pattern;
use crate::prune;

const KEYS: [&str; 7] = ["before", "dangling", "label", "label!", "reference", "since", "until"];

/// The images which all filters let through, in their order; without `all`, nameless ones on which others were built
/// are left out.
///
/// # Errors
/// As [`super::list`].
pub(super) fn filter<'a, I: Borrow<Image>, R: Borrow<Image>>(
    images: &'a [I],
    filters: &Filters,
    all: bool,
    resolve: impl Fn(&str) -> Result<R>,
    now: Timestamp,
) -> Result<Vec<&'a Image>> {
    filters.validate(&KEYS)?;
    let dangling = filters.contains("dangling").then(|| filters.flag("dangling", false)).transpose()?;
    let moment = |key: &str| -> Result<Vec<Option<Timestamp>>> {
        filters.get(key).map(|name| Ok(resolve(name)?.borrow().created())).collect()
    };
    let (before, since) = (moment("before")?, moment("since")?);
    let until = prune::until(filters, now)?;
    for text in filters.get("reference") {
        pattern::check(text)?;
    }
    let parents: BTreeSet<&Digest> = images.iter().filter_map(|image| image.borrow().parent.as_ref()).collect();
    let keep = |image: &Image| {
        let labels = &image.run_config().labels;
        let nameless = image.repo_tags.is_empty() && image.repo_digests.is_empty();
        let untagged = image.repo_tags.is_empty();
        let created = image.created();
        (all || !(nameless && parents.contains(&image.id)))
            && dangling.is_none_or(|wanted| untagged == wanted)
            && before.iter().all(|limit| created < *limit)
            && since.iter().all(|limit| created > *limit)
            && until.is_none_or(|limit| created.is_none_or(|time| time < limit))
            && filters.matches_labels("label", |key| labels.get(key).map(String::as_str))
            && !filters.get("label!").any(|wanted| has_label(labels, wanted))
            && filters.matches("reference", |wanted| names(image).any(|name| is_named(name, wanted)))
    };
    Ok(images.iter().map(Borrow::borrow).filter(|image| keep(image)).collect())
}

/// With a `reference` filter a line shows only the names that match.
pub(super) fn keep_names(line: &mut ImageSummary, filters: &Filters) {
    if filters.contains("reference") {
        let matching = |name: &String| filters.get("reference").any(|wanted| is_named(name, wanted));
        line.repo_tags.retain(matching);
        line.repo_digests.retain(matching);
    }
}

fn names(image: &Image) -> impl Iterator<Item = &String> {
    image.repo_tags.iter().chain(&image.repo_digests)
}

fn has_label(labels: &std::collections::BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|own| own == value),
        None => labels.contains_key(wanted),
    }
}

/// Docker's `FamiliarMatch`: the pattern against the whole name, or against it without tag and digest.
pub(super) fn is_named(name: &str, wanted: &str) -> bool {
    if pattern::matches(wanted, name) {
        return true;
    }
    let Ok(reference) = name.parse::<Reference>() else { return false };
    let bare = reference.familiar_name();
    let tagged = reference.tag.as_ref().map(|tag| format!("{bare}:{tag}"));
    pattern::matches(wanted, &bare) || tagged.is_some_and(|tagged| pattern::matches(wanted, &tagged))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_view::tests::{digest, image};
    use std::sync::Arc;
    use values::Error;

    #[test]
    fn each_filter() {
        let mut images = vec![
            image('a', "2024-01-01T00:00:00Z", &["busybox:1", "other:x"]),
            image('b', "2024-02-01T00:00:00Z", &["quay.io/team/app:2"]),
            image('c', "2024-03-01T00:00:00Z", &[]),
            image('d', "2024-04-01T00:00:00Z", &[]),
        ];
        images[3].parent = Some(digest('c'));
        Arc::get_mut(&mut images[1].config).unwrap().config.labels = [("k".to_owned(), "v".to_owned())].into();
        let images: Vec<Arc<Image>> = images.into_iter().map(Arc::new).collect();
        let resolve = |name: &str| {
            let found = images.iter().find(|image| image.id.hex().starts_with(name)).cloned();
            found.ok_or_else(|| Error::not_found(format!("No such image: {name}")))
        };
        let now: Timestamp = "2024-05-01T00:00:00Z".parse().unwrap();
        let check = |json: &str, all: bool, expected: Result<&str, &str>| {
            let filters = Filters::from_json(json).unwrap();
            let got = filter(&images, &filters, all, resolve, now)
                .map(|list| list.iter().map(|image| &image.id.hex()[..1]).collect::<String>())
                .map_err(|e| e.message);
            assert_eq!(got, expected.map(str::to_owned).map_err(str::to_owned), "{json}");
        };
        check("", false, Ok("abd"));
        check("", true, Ok("abcd"));
        check(r#"{"dangling":["true"]}"#, true, Ok("cd"));
        check(r#"{"dangling":["false"]}"#, true, Ok("ab"));
        check(r#"{"before":["c"]}"#, true, Ok("ab"));
        check(r#"{"since":["b"]}"#, true, Ok("cd"));
        check(r#"{"before":["zz"]}"#, true, Err("No such image: zz"));
        check(r#"{"until":["2024-02-15"]}"#, true, Ok("ab"));
        check(r#"{"until":["720h"]}"#, true, Ok("abc"));
        check(r#"{"until":["1704067201"]}"#, true, Ok("a"));
        check(r#"{"until":["soon"]}"#, true, Err("failed to parse value as time or duration: \"soon\""));
        check(r#"{"until":["1h","2h"]}"#, true, Err("more than one until filter specified"));
        check(r#"{"label":["k"]}"#, true, Ok("b"));
        check(r#"{"label":["k=w"]}"#, true, Ok(""));
        check(r#"{"label!":["k"]}"#, true, Ok("acd"));
        check(r#"{"reference":["busybox"]}"#, true, Ok("a"));
        check(r#"{"reference":["busy*:1"]}"#, true, Ok("a"));
        check(r#"{"reference":["*/*/app"]}"#, true, Ok("b"));
        check(r#"{"reference":["*"]}"#, true, Ok("a"));
        check(r#"{"reference":["["]}"#, true, Err("invalid filter 'reference=['"));
        check(r#"{"nonsense":["x"]}"#, true, Err("invalid filter 'nonsense'"));
    }

    #[test]
    fn names_which_match() {
        let filters = Filters::from_json(r#"{"reference":["busybox"]}"#).unwrap();
        let mut line = ImageSummary {
            repo_tags: vec!["busybox:1".into(), "other:1".into()],
            repo_digests: vec![format!("busybox@{}", digest('a')), format!("other@{}", digest('a'))],
            ..ImageSummary::default()
        };
        keep_names(&mut line, &filters);
        assert_eq!((line.repo_tags.join(" "), line.repo_digests.len()), ("busybox:1".into(), 1));
    }
}
