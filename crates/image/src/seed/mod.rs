//! The image an empty store begins with: `hello-world`, made here, so that the first command works with no registry.

mod elf;

use archive::tar::{Entry, Kind, Writer};
use oci::image::History;
use store::{Batch, Durability};
use values::{Platform, Reference, Result, ResultExt, Timestamp};

use crate::{
    images::Images,
    records::{FACTS, SEEDED},
};

const NAME: &str = "hello-world:latest";
/// The same on every machine, so that the image is too.
const CREATED: Timestamp = Timestamp { secs: 1_767_225_600, nanos: 0 };

const MESSAGE: &str = "
Hello from Lighter!
If you can read this, your installation works.

What happened to bring you these lines:
 1. The client asked the daemon, over its socket, for a container of the image \"hello-world\".
 2. The daemon found that image in its store: it came inside the program you installed.
 3. A shim made the container: its own processes, file systems, network and limits.
 4. The container ran /hello, and what it wrote came back through the shim to your terminal.

For something with more in it, bring a root file system of your own:
 $ tar -C rootfs -c . | lighter import - my/image
 $ lighter run -it my/image sh
";

impl Images {
    /// Puts `hello-world` into the store, once in its life.
    pub(crate) fn seed(&self) -> Result<()> {
        let platform = Platform::host();
        if let Some(program) = elf::hello(&platform.architecture, MESSAGE.as_bytes()) {
            let reference: Reference = NAME.parse()?;
            self.import_layer(&layer(&program)?, config(&platform), &reference).during(|| NAME)?;
        }
        let mut batch = Batch::new();
        batch.put(&FACTS, SEEDED, &true)?;
        // Lost with the power, it is written again: the image is there, and so nothing is seeded.
        self.store.commit(batch, Durability::Process)
    }
}

fn layer(program: &[u8]) -> Result<Vec<u8>> {
    let mut tar = Writer::new(Vec::new());
    let entry = Entry { mode: 0o755, mtime: CREATED, ..Entry::new(Kind::File, *b"hello") };
    tar.file(&entry, program).and_then(|()| tar.finish()).during(|| NAME)
}

fn config(platform: &Platform) -> oci::image::Image {
    let step = |created_by: &str, empty_layer| History {
        created: Some(CREATED),
        created_by: created_by.into(),
        empty_layer,
        ..History::default()
    };
    oci::image::Image {
        architecture: platform.architecture.clone(),
        os: platform.os.clone(),
        variant: platform.variant.clone(),
        created: Some(CREATED),
        config: oci::image::Config {
            env: vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()],
            cmd: Some(vec!["/hello".into()]),
            working_dir: "/".into(),
            ..Default::default()
        },
        history: vec![step("COPY hello /", false), step("CMD [\"/hello\"]", true)],
        ..Default::default()
    }
}
