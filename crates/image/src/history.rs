use values::Result;

use crate::{image::Image, images::Images, report::HistoryItem};

impl Images {
    /// How the image was made, newest step first, with what each step's layer takes.
    pub fn history(&self, image: &Image) -> Result<Vec<HistoryItem>> {
        let mut sizes = image.layer_sizes.iter();
        let mut items: Vec<HistoryItem> = image
            .config
            .history
            .iter()
            .map(|step| HistoryItem {
                id: "<missing>".into(),
                created: step.created.map_or(0, |time| time.secs),
                created_by: step.created_by.clone(),
                tags: Vec::new(),
                size: if step.empty_layer { 0 } else { sizes.next().copied().unwrap_or(0) },
                comment: step.comment.clone(),
            })
            .collect();
        // layers nobody wrote a line about
        items.extend(sizes.map(|size| HistoryItem {
            id: "<missing>".into(),
            created: image.created().map_or(0, |time| time.secs),
            created_by: String::new(),
            tags: Vec::new(),
            size: *size,
            comment: String::new(),
        }));
        items.reverse();
        if let Some(newest) = items.first_mut() {
            newest.id = image.id.to_string();
            newest.tags.clone_from(&image.repo_tags);
        }
        Ok(items)
    }
}
