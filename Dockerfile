# An image for a class's JupyterHub (DockerSpawner, Zero to JupyterHub). Everything is installed in it:
# a kernel starts in seconds, and a running container downloads nothing.
#   docker build -t nchw-class . && docker run --rm -p 8888:8888 nchw-class
FROM quay.io/jupyter/minimal-notebook:2026-03-23@sha256:0e8fa0b37f367bb923d44e5da91011a213c73fc75db9c91b6d61f0da53bc7829

# Rust and a C++ compiler from conda-forge, which checks what it downloads.
RUN mamba install --yes --channel conda-forge "rust>=1.89" rust-src cxx-compiler && mamba clean --all --yes

# Not in the home folder, because a hub mounts each learner's own home there.
ENV CARGO_HOME=/opt/nchw-cargo NCHW_CACHE=/opt/nchw-cache
USER root
RUN mkdir -p /opt/nchw "${CARGO_HOME}" "${NCHW_CACHE}" && chown -R "${NB_UID}:${NB_GID}" /opt/nchw*
USER ${NB_UID}

COPY --chown=${NB_UID}:${NB_GID} . /opt/nchw
WORKDIR /opt/nchw
# The program stays, and what it was compiled from goes.
RUN cargo xtask setup --cpu && rm -rf target "${HOME}/.cache/pip" \
    && rm -rf .nchw/target/debug .nchw/target/*/debug/deps .nchw/target/*/debug/build \
       .nchw/target/*/debug/.fingerprint .nchw/target/*/debug/incremental "${NCHW_CACHE}"/compiled-*

ENV JUPYTER_PATH=/opt/nchw/.venv/share/jupyter \
    JUPYTER_CONFIG_PATH=/opt/nchw/.venv/etc/jupyter \
    PATH=/opt/nchw/.venv/bin:${PATH}
WORKDIR /opt/nchw/my-notebooks
