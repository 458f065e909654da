use crate::error::Result;
use crate::nft::attributes as a;
use crate::nft::{Family, message_type};
use crate::parse;
use crate::socket::Socket;

/// `NFNLGRP_NFTABLES` (linux/netfilter/nfnetlink.h).
const GROUP: u32 = 7;
/// Bytes of `struct nfgenmsg`.
const FIXED: usize = 4;

/// Tells when a table is removed, by whomever.
pub struct Watch {
    socket: Socket,
    families: Vec<u8>,
    table: String,
}

impl Watch {
    /// `families`: it has tables of that name in these.
    pub fn new(families: &[Family], table: &str) -> Result<Self> {
        let families = families.iter().map(|family| family.number()).collect();
        Ok(Self { socket: Socket::netfilter_events(GROUP)?, families, table: table.into() })
    }

    /// Waits for the next removal. Also returns where the kernel had more to tell than there was room for: the table
    /// may be gone then.
    pub fn removed(&mut self) -> Result<()> {
        let (families, table) = (self.families.clone(), self.table.clone());
        self.socket.wait_for(|message| {
            let attributes = message.payload.get(FIXED..).unwrap_or_default();
            message.kind == message_type(libc::NFT_MSG_DELTABLE)
                && message.payload.first().is_some_and(|family| families.contains(family))
                && parse::attribute(attributes, a::TABLE_NAME).map(parse::string).as_deref() == Some(table.as_str())
        })
    }
}
