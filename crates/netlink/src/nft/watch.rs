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
    family: Family,
    table: String,
}

impl Watch {
    pub fn new(family: Family, table: &str) -> Result<Self> {
        Ok(Self { socket: Socket::netfilter_events(GROUP)?, family, table: table.into() })
    }

    /// Waits for the next removal. Also returns where the kernel had more to tell than there was room for: the table
    /// may be gone then.
    pub fn removed(&mut self) -> Result<()> {
        let (family, table) = (self.family.number(), self.table.clone());
        self.socket.wait_for(|message| {
            let attributes = message.payload.get(FIXED..).unwrap_or_default();
            message.kind == message_type(libc::NFT_MSG_DELTABLE)
                && message.payload.first() == Some(&family)
                && parse::attribute(attributes, a::TABLE_NAME).map(parse::string).as_deref() == Some(table.as_str())
        })
    }
}
