use api::endpoints::RegistryAuth;
use api::types::AuthResponse;
use engine::{Credentials, Engine};
use values::Result;

use crate::answer::Answer;
use crate::call::Call;

/// Asks a registry whether it takes credentials.
pub(crate) async fn registry_auth(mut call: Call<Engine, RegistryAuth>) -> Result<Answer> {
    let given = call.body().await?;
    let credentials = Credentials {
        username: given.username,
        password: given.password,
        auth: given.auth,
        serveraddress: given.serveraddress,
        identitytoken: given.identitytoken,
        registrytoken: given.registrytoken,
    };
    let identity_token = call.state().registry_login(&credentials.normal()).await?;
    Ok(call.reply(AuthResponse { identity_token, status: "Login Succeeded".into() }))
}
