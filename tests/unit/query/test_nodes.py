"""Walks over trees and copies of them are sqlglot's own, but for the time."""

from sqlglot import exp

from tidemark.dialect import POSTGRESQL
from tidemark.query.nodes import copied, nodes, nodes_of, replaced
from tidemark.query.parse import parse_tree, render

QUERY = """
SELECT u.id, (SELECT count(*) FILTER (WHERE p.x > 1) FROM p WHERE p.u = u.id AND p.y IN (1, NULL)) AS n, -- said
       CASE WHEN u.a::text = 'b' THEN sum(u.c) OVER (PARTITION BY u.d ORDER BY u.e DESC) END AS s
FROM u LEFT JOIN LATERAL (SELECT * FROM q WHERE q.u = u.id LIMIT 3) AS q ON true
UNION ALL SELECT 1, 2, array[3]
"""


def _place_of(node: exp.Expr) -> tuple[object, ...]:
    return type(node), node.arg_key, node.index, node.comments, dict(node.meta), node.parent and type(node.parent)


def test_nodes_are_those_of_walk_in_its_order() -> None:
    tree = parse_tree(QUERY, POSTGRESQL)
    assert nodes(tree) == list(tree.walk())
    assert nodes_of(tree, exp.Column) == list(tree.find_all(exp.Column))
    above = nodes(tree, (exp.Select,))
    assert above == list(tree.walk(prune=lambda node: isinstance(node, exp.Select)))
    assert len(above) < len(nodes(tree.this, (exp.Select,)))


def test_a_copy_is_the_same_and_shares_no_node() -> None:
    tree = parse_tree(QUERY, POSTGRESQL)
    again = copied(tree)
    assert again == tree and render(again, POSTGRESQL) == render(tree, POSTGRESQL)
    assert list(map(_place_of, nodes(again))) == list(map(_place_of, nodes(tree)))
    assert not {id(node) for node in nodes(again)} & {id(node) for node in nodes(tree)}
    for node in nodes(again):
        node.meta["seen"] = True
        node.args.clear()
    assert render(tree, POSTGRESQL) == render(parse_tree(QUERY, POSTGRESQL), POSTGRESQL)
    assert not any("seen" in node.meta for node in nodes(tree))
    inner = tree.find(exp.Subquery)
    assert inner is not None and inner.parent is not None and copied(inner).parent is None


def test_replacing_is_what_transform_does() -> None:
    tree = parse_tree(QUERY, POSTGRESQL)

    def place(node: exp.Expression) -> exp.Expression:
        return exp.Paren(this=exp.Column(this=node.this.copy())) if isinstance(node, exp.Column) else node

    before = render(tree, POSTGRESQL)
    assert render(replaced(tree, place), POSTGRESQL) == render(tree.transform(place), POSTGRESQL)
    assert render(tree, POSTGRESQL) == before
    column = tree.find(exp.Column)
    assert column is not None and isinstance(replaced(column, place), exp.Paren)
