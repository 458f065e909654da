use api::endpoints::ContainerCreate;
use api::types::ContainerConfig;
use api::versions::raise_create;
use engine::Engine;
use http::StatusCode;
use values::{Error, Result};

use crate::answer::Answer;
use crate::call::Call;
use crate::handlers::given;

/// Creates a container.
pub(crate) async fn container_create(mut call: Call<Engine, ContainerCreate>) -> Result<Answer> {
    let query = call.query()?;
    let mut request = call.body().await?;
    if request.config == ContainerConfig::default() {
        return Err(Error::invalid("config cannot be empty in order to create a container"));
    }
    raise_create(&mut request, call.version())?;
    let platform = given(&query.platform).filter(|_| !call.version().below(41));
    let created = call.state().container_create(given(&query.name), platform, request).await?;
    Ok(call.reply_with(StatusCode::CREATED, created))
}
