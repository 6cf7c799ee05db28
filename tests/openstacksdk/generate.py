#!/usr/bin/env python3
"""Writes table.json: how openstacksdk reads inputs.json. Needs `pip install openstacksdk`; run it in this folder."""
import json, os, tempfile, warnings
from importlib.metadata import version

warnings.simplefilter("ignore")
from openstack.config import OpenStackConfig

AUTH = ["auth_url", "username", "user_id", "user_domain_name", "user_domain_id", "password", "token", "project_name",
        "project_id", "project_domain_name", "project_domain_id", "default_domain_id", "application_credential_id",
        "application_credential_name", "application_credential_secret"]


def read(case):
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name in ["clouds", "secure", "public"]:
            files[name] = [os.path.join(folder, name + ".yaml")]
            if name in case:
                open(files[name][0], "w", newline="").write(case[name])
        try:
            for name in [name for name in os.environ if name.startswith("OS_")]:
                del os.environ[name]
            os.environ.update(case.get("environment", {}))
            config = OpenStackConfig(files["clouds"], files["public"], secure_files=files["secure"])
            cloud = config.get_one("envvars" if "environment" in case else "c", **({"region_name": case["region"]} if "region" in case else {}))
        except Exception:
            return None
        verify, _ = cloud.get_requests_verify_args()
        found = {key: str(cloud.config["auth"][key]) for key in AUTH if cloud.config["auth"].get(key) is not None}
        found.update({"project_name": value for key, value in cloud.config["auth"].items() if key == "tenant_name"})
        service = {
            "interface": cloud.get_interface("migration").removesuffix("URL"),
            "region": cloud.get_region_name("migration"),
            "service_type": cloud.config.get("migration_service_type"),
            "service_name": cloud.config.get("migration_service_name"),
            "endpoint": cloud.config.get("migration_endpoint_override"),
            "cacert": verify if isinstance(verify, str) else None,
        }
        found.update({key: value for key, value in service.items() if value})
        found["insecure"] = str(not verify).lower()
        return found


cases = json.load(open("inputs.json"))
table = {"openstacksdk": version("openstacksdk"), "cases": {case["name"]: read(case) for case in cases}}
json.dump(table, open("table.json", "w"), indent=1, sort_keys=True)
open("table.json", "a").write("\n")
