# SPDX-License-Identifier: BSD-2-Clause
"""pull, push, search, import, export, commit, tag, rmi, login, logout: images, on their ways into the store and out of it.

Each says what it did, as a task's actions would."""
from __future__ import annotations

import argparse
import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import asked, bars
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.edge import args_image, parse_image
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid


def _image(context: Context, **said: t.Any) -> Outcome:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import images

    wish = parse_image.wish(asked.params(args_image.SPEC, **said))
    with bars.shown():
        return images.ensure(context.acting(), wish)


def _tell(context: Context, outcome: Outcome) -> int:
    """The image's full name, and on stderr that nothing was to be done."""
    image = outcome.result.get("image")
    if not outcome.changed:
        context.complain("nothing to do: it is so already")
    if image:
        context.say(image["RepoTags"][0])
    return OK


def _shape_access(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ca-path", metavar="FILE", help="certificates of the authorities that are trusted for it")
    parser.add_argument("--insecure", action="store_true", help="take any certificate")
    parser.add_argument("--plain-http", action="store_true", help="without TLS")


def _access(said: argparse.Namespace) -> t.Dict[str, t.Any]:
    ca_path = os.path.abspath(said.ca_path) if said.ca_path else None
    return {"ca_path": ca_path, "validate_certs": not said.insecure, "plain_http": said.plain_http}


def _shape_repository(parser: argparse.ArgumentParser) -> None:
    help = "an ssh repository instead of a registry; - is the one that this host remembers"
    parser.add_argument("--repository", metavar="USER@HOST|-", help=help)


def _address(said: argparse.Namespace) -> t.Optional[str]:
    return None if said.repository == "-" else str(said.repository)


def _shape_pull(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--platform", metavar="OS/ARCH[/VARIANT]", help="of several in one reference; this host's own by default")
    parser.add_argument("--pull", choices=["always", "missing", "never", "newer"], default="newer", help="when to fetch it (%(default)s)")
    parser.add_argument("--as", dest="name", metavar="NAME[:VERSION]", help="its name here, instead of the one there")
    _shape_access(parser)
    _shape_repository(parser)
    parser.add_argument("reference", metavar="HOST/NAME[:TAG]", help="in an ssh repository NAME[:VERSION]")


def _pull(context: Context, said: argparse.Namespace) -> int:
    options: t.Dict[str, t.Any] = {"name": said.name or said.reference, "pull": said.pull, "platform": said.platform}
    if said.name:
        options["reference"] = said.reference
    if said.repository is None:
        options.update(source="registry", **_access(said))
    else:
        options.update(source="repository", repository=_address(said))
    return _tell(context, _image(context, **options))


def _shape_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=["auto", "rootfs", "cockerimage", "docker-archive", "oci-archive"], default="auto")
    parser.add_argument("--force", action="store_true", help="replace an image of that name, whatever is in it")
    parser.add_argument("path", metavar="ARCHIVE|DIRECTORY")
    parser.add_argument("name", metavar="NAME[:VERSION]", nargs="?", help="may be left out for a .cockerimage, whose file name says it")


def _no_stream(path: str, option: str) -> None:
    if path == "-":
        raise Invalid(option, "'-' would be a stream, which is not offered", hint="./- is a file")


def _import(context: Context, said: argparse.Namespace) -> int:
    _no_stream(said.path, "ARCHIVE")
    path = os.path.abspath(said.path)
    source = "directory" if os.path.isdir(path) else "archive"
    return _tell(context, _image(context, source=source, name=said.name, path=path, format=said.format, force=said.force))


def _shape_push(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=["docker", "oci"], default="oci", help="of the manifest (%(default)s)")
    _shape_access(parser)
    _shape_repository(parser)
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("reference", metavar="HOST/NAME[:TAG]", nargs="?", help="may be left out where IMAGE is called so")


def _push(context: Context, said: argparse.Namespace) -> int:
    if said.repository is not None:
        return _store(context, said)
    from ansible_collections.cocker.engine.plugins.module_utils.edge import args_registry, parse_registry
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_push

    params = asked.params(args_registry.PUSH, name=said.image, reference=said.reference, format=said.format, **_access(said))
    wish = parse_registry.push(params)
    with bars.shown():
        outcome = image_push.ensure(context.acting(), wish)
    if not outcome.changed:
        context.complain("nothing to do: it is so already")
    context.say("%s@%s" % (outcome.result["reference"], outcome.result["digest"]))
    return OK


def _store(context: Context, said: argparse.Namespace) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.edge import args_repository, parse_repository
    from ansible_collections.cocker.engine.plugins.module_utils.engine import repository

    params = asked.params(args_repository.REPOSITORY, name=said.image, reference=said.reference, repository=_address(said))
    wish = parse_repository.wish(params)
    with bars.shown():
        outcome = repository.ensure(context.acting(), wish)
    if not outcome.changed:
        context.complain("nothing to do: it is so already")
    context.say("%s in %s" % (outcome.result["reference"], outcome.result["repository"]))
    return OK


def _shape_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repository", metavar="USER@HOST|-", default="-", help="- is the one that this host remembers (%(default)s)")
    parser.add_argument("-q", "--quiet", action="store_true", help="names only, one a line")
    parser.add_argument("--format", default="table", metavar="table|json|TEMPLATE", help="json: one object a line")
    parser.add_argument("match", nargs="?", metavar="TEXT", help="a part of NAME[:VERSION], where * and ? stand for others")


def _search(context: Context, said: argparse.Namespace) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import look, render
    from ansible_collections.cocker.engine.plugins.module_utils.edge import args_repository, parse_repository
    from ansible_collections.cocker.engine.plugins.module_utils.engine import repository_info

    query = parse_repository.query(asked.params(args_repository.INFO, match=said.match, repository=_address(said)))
    found = repository_info.query(context.looking(), query)["images"]
    if said.quiet:
        context.say(*(item["reference"] for item in found))
    elif said.format == "json":
        for item in found:
            context.say_json(item)
    else:
        rows = [(item["reference"], render.age(item["modified"], context.now), render.size(item["size"])) for item in found]
        look.show(context, said.format, ("IMAGE", "PUSHED", "SIZE"), rows)
    return OK


def _shape_export(parser: argparse.ArgumentParser) -> None:
    help = "by default what the name of FILE says, else docker-archive"
    parser.add_argument("--format", choices=["rootfs", "cockerimage", "docker-archive", "oci-archive"], help=help)
    parser.add_argument("--compression", choices=["none", "gzip", "zstd"])
    parser.add_argument("-o", "--output", required=True, metavar="FILE|DIRECTORY", help="a directory gets NAME[:VERSION].cockerimage")
    parser.add_argument("images", nargs="+", metavar="IMAGE")


def _export(context: Context, said: argparse.Namespace) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.edge import args_image_export, parse_image_export
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_export

    _no_stream(said.output, "--output")
    path = os.path.abspath(said.output)
    form = said.format or ("cockerimage" if os.path.isdir(path) else None)
    params = asked.params(args_image_export.SPEC, names=said.images, path=path, format=form, compression=said.compression)
    wish = parse_image_export.wish(params)
    with bars.shown():
        outcome = image_export.ensure(context.acting(), wish)
    if not outcome.changed:
        context.complain("nothing to do: it is so already")
    context.say(outcome.result["path"])
    return OK


def _shape_commit(parser: argparse.ArgumentParser) -> None:
    help = "chain: an image with all below it (%(default)s); top: only what was written, to be stacked"
    parser.add_argument("--layers", choices=["chain", "top"], default="chain", help=help)
    parser.add_argument("--move", action="store_true", help="the container becomes the image, and is gone")
    parser.add_argument("-a", "--author", metavar="TEXT")
    parser.add_argument("name", metavar="NAME", help="of the container")
    parser.add_argument("image", metavar="IMAGE[:VERSION]")


def _commit(context: Context, said: argparse.Namespace) -> int:
    options: t.Dict[str, t.Any] = {"config": {"author": said.author}} if said.author else {}
    options.update(mode="move" if said.move else "commit", layers=said.layers, force=not said.move)
    return _tell(context, _image(context, source="container", from_container=said.name, name=said.image, **options))


def _shape_tag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("name", metavar="NAME[:VERSION]")


def _tag(context: Context, said: argparse.Namespace) -> int:
    return _tell(context, _image(context, source="image", from_image=said.image, name=said.name))


def _shape_rmi(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="IMAGE")


def _rmi(context: Context, said: argparse.Namespace) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.cli import act
    from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound

    def remove(name: str) -> None:
        if not _image(context, name=name, state="absent").changed:
            raise NotFound("remove image", name, "it is not in the store")

    return act.each(context, said.names, remove)


def _shape_login(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-u", "--username", help="asked for at a terminal, if it is not given")
    parser.add_argument("--password-stdin", action="store_true", help="read it from standard input instead of the terminal")
    _shape_access(parser)
    parser.add_argument("registry", metavar="HOST[:PORT]")


def _login(context: Context, said: argparse.Namespace) -> int:
    user = _username(said)
    changed = _credentials(context, said.registry, username=user, password=_password(said), **_access(said))
    context.say("Login succeeded" if changed else "Already logged in")
    return OK


def _shape_logout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("registry", metavar="HOST[:PORT]")


def _logout(context: Context, said: argparse.Namespace) -> int:
    changed = _credentials(context, said.registry, state="absent")
    context.say("Logged out" if changed else "Not logged in")
    return OK


def _credentials(context: Context, registry: str, **said: t.Any) -> bool:
    """Whether they are others than before."""
    from ansible_collections.cocker.engine.plugins.module_utils.edge import args_registry, parse_registry
    from ansible_collections.cocker.engine.plugins.module_utils.engine import login

    params = asked.params(args_registry.LOGIN, registry=registry, **said)
    return login.ensure(context.acting(), parse_registry.login(params)).changed


def _username(said: argparse.Namespace) -> str:
    if said.username is not None:
        return str(said.username)
    if said.password_stdin or not sys.stdin.isatty():
        raise Invalid("--username", "it is needed where there is no terminal to ask at")
    sys.stderr.write("Username: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _password(said: argparse.Namespace) -> str:
    """Never an argument: those are seen by everybody on the host."""
    if said.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise Invalid("--password-stdin", "it is needed where there is no terminal to ask at")
    import getpass

    return getpass.getpass()


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "pull": (_shape_pull, _pull),
    "push": (_shape_push, _push),
    "search": (_shape_search, _search),
    "import": (_shape_import, _import),
    "export": (_shape_export, _export),
    "commit": (_shape_commit, _commit),
    "tag": (_shape_tag, _tag),
    "rmi": (_shape_rmi, _rmi),
    "login": (_shape_login, _login),
    "logout": (_shape_logout, _logout),
}
