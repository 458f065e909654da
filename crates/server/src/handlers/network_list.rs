use api::Filters;
use api::endpoints::NetworkList;
use api::types::Network;
use engine::Engine;
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Lists networks.
pub(crate) async fn network_list(call: Call<Engine, NetworkList>) -> Result<Answer> {
    let query = call.query()?;
    query.filters.validate(ACCEPTED)?;
    let mut networks = call.state().network_list();
    networks.retain(|network| matches(network, &query.filters));
    if query.filters.contains("dangling") {
        let (wanted, used) = (query.filters.flag("dangling", false)?, call.state().networks_in_use());
        networks.retain(|network| (!is_built_in(network) && !used.contains(&network.id)) == wanted);
    }
    Ok(call.reply(networks))
}

/// The filters Docker knows here.
const ACCEPTED: &[&str] = &["dangling", "driver", "id", "label", "name", "scope", "type"];

fn matches(network: &Network, filters: &Filters) -> bool {
    let labels = |key: &str| network.labels.as_ref()?.get(key).map(String::as_str);
    filters.matches("driver", |driver| network.driver == driver)
        && filters.matches("id", |id| network.id.starts_with(id))
        && filters.matches("name", |name| network.name.contains(name))
        && filters.matches("scope", |scope| network.scope == scope)
        && filters.matches("type", |kind| if is_built_in(network) { kind == "builtin" } else { kind == "custom" })
        && filters.matches_labels("label", labels)
}

fn is_built_in(network: &Network) -> bool {
    matches!(network.name.as_str(), "bridge" | "host" | "none")
}
