use api::endpoints::{ImageCreate, ImageCreateQuery};
use engine::{Engine, ImportOptions};
use values::{Error, Reference, Result};

use super::progress;
use crate::answer::Answer;
use crate::call::Call;

/// Imports an image from an archive of a file system. (Pulling is not there yet, and says so.)
pub(crate) async fn image_create(mut call: Call<Engine, ImageCreate>) -> Result<Answer> {
    let query = call.query()?;
    if !query.from_image.is_empty() {
        return Err(no_pull(&query));
    }
    if query.from_src != "-" {
        let source = &query.from_src;
        return Err(Error::not_implemented(format!(
            "importing from a URL is not supported yet: {source:?} (send the archive)"
        )));
    }
    let archive = Box::new(call.upload());
    let engine = call.raw.state;
    let options = ImportOptions {
        repo: query.repo,
        tag: query.tag,
        message: query.message,
        changes: query.changes,
        platform: query.platform,
    };
    progress::answer_once_begun(|messages| async move { engine.image_import(archive, options, messages).await }).await
}

fn no_pull(query: &ImageCreateQuery) -> Error {
    let separator = if query.tag.contains(':') { "@" } else { ":" };
    let given = match query.tag.as_str() {
        "" => query.from_image.clone(),
        tag => format!("{}{separator}{tag}", query.from_image),
    };
    let name = given.parse().map_or(given.clone(), |reference: Reference| reference.familiar());
    Error::not_implemented(format!("pulling images is not supported yet: {name} (load or import it)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_named() {
        let message = |image: &str, tag: &str| {
            let query = ImageCreateQuery { from_image: image.into(), tag: tag.into(), ..ImageCreateQuery::default() };
            no_pull(&query).message
        };
        assert_eq!(
            message("docker.io/library/busybox", "latest"),
            "pulling images is not supported yet: busybox:latest (load or import it)"
        );
        assert_eq!(
            message("localhost:5000/a", ""),
            "pulling images is not supported yet: localhost:5000/a (load or import it)"
        );
    }
}
