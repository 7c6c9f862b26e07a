//! `s3s-fs-server FOLDER ACCESS_KEY SECRET_KEY --address HOST:PORT`: the folder as buckets and objects, for whoever signs with
//! these keys. It says where it listens, and runs until it is ended.

use std::{env, error::Error};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [folder, access_key, secret_key, flag, address] = arguments.as_slice() else { return Err(USAGE.into()) };
    if flag != "--address" {
        return Err(USAGE.into());
    }
    let files = FileSystem::new(folder).map_err(|error| format!("{folder}: {error:?}"))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(access_key.as_str(), secret_key.as_str()));
    let service = service.build();
    let listener = TcpListener::bind(address.as_str()).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            // A connection that breaks is the client's affair.
            _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

const USAGE: &str = "usage: s3s-fs-server FOLDER ACCESS_KEY SECRET_KEY --address HOST:PORT";
