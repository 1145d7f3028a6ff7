//! Whom a server may act for: it may learn who its client is, and no more.

#![cfg(windows)] // No other system has named pipes of this kind.

#[path = "support/drops.rs"]
mod drops;
#[path = "support/pipes.rs"]
mod pipes;

use drops::{is_emulated, runs};
use kael_rt::net::windows::named_pipe::{NamedPipe, PipeMode};
use pipes::pair;
use std::os::windows::io::AsRawHandle;
use std::ptr;
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE};
use windows_sys::Win32::Security::{
    GetTokenInformation, RevertToSelf, SecurityIdentification, TOKEN_QUERY, TokenImpersonationLevel,
};
use windows_sys::Win32::System::Pipes::ImpersonateNamedPipeClient;
use windows_sys::Win32::System::Threading::{GetCurrentThread, OpenThreadToken};

/// How far the system lets a server go in its client's name.
fn level(server: &NamedPipe) -> i32 {
    let handle = server.try_as_handle().unwrap().as_raw_handle() as HANDLE;
    let (mut token, mut level, mut len): (HANDLE, i32, u32) = (ptr::null_mut(), 0, 0);
    // SAFETY: an open handle; numbers and room for them; this thread is itself again at the end.
    unsafe {
        assert_ne!(ImpersonateNamedPipeClient(handle), 0, "{}", std::io::Error::last_os_error());
        let opened = OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, 1, &mut token);
        let error = std::io::Error::last_os_error();
        assert_ne!(RevertToSelf(), 0);
        assert_ne!(opened, 0, "{error}");
        let room = (&raw mut level).cast();
        let told = GetTokenInformation(token, TokenImpersonationLevel, room, 4, &mut len);
        CloseHandle(token);
        assert_ne!(told, 0, "{}", std::io::Error::last_os_error());
    }
    level
}

#[test]
fn a_server_knows_its_client_and_cannot_act_for_it() {
    runs("a pipe hangs", || async {
        let (server, client) = pair("rights", PipeMode::Byte).await;
        // Who reads first may act for the client, by Windows' rules.
        client.write_all("hello").await.0.unwrap();
        server.read_exact(vec![0; 5]).await.0.unwrap();
        let level = level(&server);
        if level != SecurityIdentification && is_emulated() {
            return println!("not checked: what a client grants: this system says level {level}");
        }
        assert_eq!(level, SecurityIdentification);
    });
}
