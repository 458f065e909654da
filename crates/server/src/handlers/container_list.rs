use api::endpoints::ContainerList;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Lists containers.
pub(crate) async fn container_list(call: Call<Engine, ContainerList>) -> Result<Answer> {
    let mut query = call.query()?;
    // Old clients ask for what is now a filter.
    for (key, value) in [("since", query.since), ("before", query.before)] {
        if !value.is_empty() {
            query.filters.add(key, value);
        }
    }
    let mut list = call.list();
    call.state().container_list(query.all, query.limit, query.size, &query.filters, |one| list.push(one))?;
    Ok(list.answer())
}
